// Places an order with openapi-fetch, and receives its updates, by the types that openapi-typescript generates:
//   CALLBACK_SECRET=… node built/openapi-fetch.js http://127.0.0.1:8080
import createClient from "openapi-fetch";
import type { components, paths, webhooks } from "./petstore.js";
import { receive, waiter, type Route } from "./receiver.js";

type Callback = components["schemas"]["Update"]; // openapi-typescript generates nothing of callbacks
type Event = webhooks["event"]["post"]["requestBody"]["content"]["application/json"];
type Headers = webhooks["event"]["post"]["parameters"]["header"];

const client = createClient<paths>({ baseUrl: process.argv[2] });
const completed = { callback: waiter(), webhook: waiter() };
const routes: Record<string, Route> = {
  "/callback": { secret: process.env.CALLBACK_SECRET ?? "", take: (body) => take("callback", body as Callback) },
};
const receiver = await receive(routes);

const webhook = await client.POST("/api/webhooks", { body: { url: `${receiver.url}/webhook`, events: ["order.*"] } });
if (!webhook.data) throw new Error(webhook.error.detail);
routes["/webhook"] = {
  secret: webhook.data.secret,
  take: (body, headers) => {
    const event = body as Event;
    const name: keyof Headers = "webhook-id";
    if (headers[name] !== event.callback_id) throw new Error("webhook-id is not the update's");
    take("webhook", event);
  },
};
const order = await client.POST("/api/orders", { body: { product: "dog-food", callback_url: `${receiver.url}/callback` } });
if (!order.data) throw new Error(order.error.detail);
console.log("order", order.data.status);
await Promise.all([completed.callback.heard, completed.webhook.heard]);
receiver.close();

function take(how: keyof typeof completed, update: Callback) {
  console.log(how, update.type);
  if (update.status === "completed") completed[how].hear();
}
