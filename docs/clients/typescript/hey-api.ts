// Places an order with the client that hey-api generates, and receives its updates by the types that it generates:
//   CALLBACK_SECRET=… node built/hey-api.js http://127.0.0.1:8080
import { client } from "./petstore/client.gen.js";
import { createOrder, createWebhook, type Update, type WebhookEventWebhookPayload } from "./petstore/index.js";
import { receive, waiter, type Route } from "./receiver.js";

client.setConfig({ baseUrl: process.argv[2] });
const completed = { callback: waiter(), webhook: waiter() };
const routes: Record<string, Route> = {
  "/callback": { secret: process.env.CALLBACK_SECRET ?? "", take: (body) => take("callback", body as Update) }, // hey-api generates nothing of callbacks
};
const receiver = await receive(routes);

const webhook = await createWebhook({ body: { url: `${receiver.url}/webhook`, events: ["order.*"] }, throwOnError: true });
routes["/webhook"] = { secret: webhook.data.secret, take: (body) => take("webhook", body as WebhookEventWebhookPayload) };
const order = await createOrder({ body: { product: "dog-food", callback_url: `${receiver.url}/callback` }, throwOnError: true });
console.log("order", order.data.status);
await Promise.all([completed.callback.heard, completed.webhook.heard]);
receiver.close();

function take(how: keyof typeof completed, update: Update) {
  console.log(how, update.type);
  if (update.status === "completed") completed[how].hear();
}
