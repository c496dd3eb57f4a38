// What can be asked for, and what can go wrong.

const base = new URL(".", document.baseURI);

const many = (quantity) => (Number(quantity) === 1 ? {} : { quantity: Number(quantity) });
const others = (product) => ["cat-food", "bird-seed", "dog-leash"].filter((slug) => slug !== product).slice(0, 2).map((slug) => ({ product: slug }));

/** kinds are the operations of the article. An outcome fills fields in, so that one sees what it takes. */
export const kinds = {
  order: {
    path: "api/orders", route: "/callbacks/order-status", stream: "api/orders/stream", event: "order-update",
    body: (f) => (f.items === "1" ? { product: f.product, ...many(f.quantity) } : { items: [{ product: f.product, ...many(f.quantity) }, ...others(f.product)] }),
    outcomes: { "succeeds": { product: "dog-food", quantity: "1" }, "is out of stock": { product: "aquarium-60", quantity: "100" } },
  },
  report: {
    path: "api/reports", route: "/callbacks/reports", stream: "api/tasks/stream", event: "task-update",
    body: (f) => ({ type: f.type }),
    outcomes: { "succeeds": { type: "sales" } },
  },
  image: {
    path: "api/images/process", route: "/callbacks/image", stream: "api/tasks/stream", event: "task-update",
    body: (f) => ({ image_url: f.image_url }),
    outcomes: { "succeeds": { image_url: new URL("docs/dog.png", base).href }, "finds no image": { image_url: new URL("docs/no-such-dog.png", base).href } },
  },
  payment: {
    path: "api/payments", route: "/callbacks/payment", stream: "api/tasks/stream", event: "task-update",
    body: (f) => ({ amount: Number(f.amount), provider: "stripe", payment_method: f.payment_method }),
    outcomes: { "succeeds": { payment_method: "pm_card_visa" }, "finds the card declined": { payment_method: "pm_card_visa_chargeDeclined" } },
  },
};

/** otherSecret is an inbox of the receiver that knows another secret than the sender's, and refuses what that does not verify. */
export const otherSecret = {
  inbox: "lab-other-secret",
  settings: { secret: "whsec_dGhpcyBpcyBub3QgdGhlIHNlbmRlcnMgc2VjcmV0", refuse_unverified: true },
};

/** faults are what the receiver does. Those with a query are what the sample receiver can be asked for, as in the docs page. */
export const faults = () => [
  ...CallbacksPlugin.defaults.faults,
  { name: "hears it twice", query: {}, twice: true, text: "Once it is delivered, the last callback is delivered again. The receiver knows its callback_id: “Already processed”." },
  { name: "has another secret", inbox: otherSecret.inbox, query: {}, text: "Its secret isn't the sender's, so no signature fits: 401 “Invalid signature”, again and again." },
];

/** callbackURL is where the server is to call back. */
export function callbackURL(receiverURL, kind, fault) {
  if (!receiverURL) return "";
  if (fault.inbox) return `${receiverURL}/in/${fault.inbox}`;
  return CallbacksPlugin.withFault(receiverURL + kinds[kind].route, fault, CallbacksPlugin.defaults.faults);
}
