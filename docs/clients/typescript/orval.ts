// Places an order with the client that orval generates, and receives its updates by the types that it generates:
//   CALLBACK_SECRET=… node built/orval.js http://127.0.0.1:8080
import { createOrder, createWebhook, type Update } from "./orval/petstore.js"; // orval generates nothing of callbacks and webhooks
import { receive, waiter, type Route } from "./receiver.js";

const completed = { callback: waiter(), webhook: waiter() };
const routes: Record<string, Route> = {
  "/callback": { secret: process.env.CALLBACK_SECRET ?? "", take: (body) => take("callback", body as Update) },
};
const receiver = await receive(routes);

const webhook = await createWebhook({ url: `${receiver.url}/webhook`, events: ["order.*"] });
if (webhook.status !== 201) throw new Error(webhook.data.detail);
routes["/webhook"] = { secret: webhook.data.secret, take: (body) => take("webhook", body as Update) };
const order = await createOrder({ product: "dog-food", callback_url: `${receiver.url}/callback` });
if (order.status !== 202) throw new Error("the order was not accepted");
console.log("order", order.data.status);
await Promise.all([completed.callback.heard, completed.webhook.heard]);
receiver.close();

function take(how: keyof typeof completed, update: Update) {
  console.log(how, update.type);
  if (update.status === "completed") completed[how].hear();
}
