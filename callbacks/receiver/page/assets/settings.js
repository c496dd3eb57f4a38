// Settings of an inbox, and new inboxes.

import * as api from "./api.js";
import { h, toast } from "./dom.js";
import { dialog, field, form } from "./dialog.js";
import { open, refresh } from "./live.js";
import { state } from "./state.js";

const schemes = [["", "Told by the headers"], ["article", "The article's (X-Callback-Signature)"], ["standard", "Standard Webhooks (v1, v1a)"], ["github", "GitHub"], ["stripe", "Stripe"], ["slack", "Slack"], ["shopify", "Shopify"]];

/** controls are the fields of an inbox's settings, and what was entered there. */
function controls(info) {
  const own = info?.name === "default";
  const secret = h("input", { type: "text", autocomplete: "off", spellcheck: "false", disabled: own, placeholder: info?.has_secret ? "Kept as it is" : "None" });
  const refuse = h("input", { type: "checkbox", id: "refuse", checked: own || info?.refuse_unverified, disabled: own });
  const scheme = h("select", {}, schemes.map(([value, label]) => h("option", { value, selected: value === (info?.scheme ?? "") }, label)));
  const contract = h("textarea.code", { rows: 3, spellcheck: "false", placeholder: info?.has_contract ? "Kept as it is" : "https://… or openapi: 3.1.0 …" });
  const file = h("input", { type: "file", accept: ".yaml,.yml,.json", "aria-label": "Contract from a file", onchange: async () => { contract.value = (await file.files[0]?.text()) ?? ""; } });
  const none = h("input", { type: "checkbox", id: "nocontract" });
  const forward = h("input", { type: "url", spellcheck: "false", value: info?.forward_to ?? "", placeholder: "http://127.0.0.1:3000/callbacks" });
  const fields = [
    field("Secret", secret, own ? "The secret with which the receiver was started." : "What the sender signs with: whsec_…, whpk_… (a public key), or any text."),
    field("Signature", scheme),
    h("label.tick", { for: "refuse" }, refuse, "Answer 401 to what the secret doesn't verify"),
    field("Contract", contract, "An OpenAPI document whose callbacks and webhooks the requests are held against: its URL, its text, or a file."), file,
    info?.has_contract ? h("label.tick", { for: "nocontract" }, none, "Forget the contract") : "",
    field("Forward to", forward, "A server on this machine that gets each request, too, and whose answer is the answer."),
  ];
  const entered = () => ({
    ...(secret.value ? { secret: secret.value } : {}), ...(own ? {} : { refuse_unverified: refuse.checked }), scheme: scheme.value, forward_to: forward.value,
    ...(none.checked ? { contract: null } : contract.value.trim() ? { contract: contract.value.trim() } : {}),
  });
  return { fields, entered };
}

export function openSettings() {
  const inbox = state.inbox;
  const { fields, entered } = controls(state.info ?? { name: inbox });
  dialog("Settings of " + inbox, (close) => form(fields, "Save", async () => {
    await (state.info ? api.patch : api.put)(inbox, entered());
    refresh();
    close();
    toast("Saved");
  }), "drawer");
}

export function openNew() {
  const name = h("input", { type: "text", required: true, pattern: "[A-Za-z0-9._~\\-]{1,100}", title: "Letters, digits and . _ ~ -", autocomplete: "off", spellcheck: "false" });
  const { fields, entered } = controls(null);
  dialog("New inbox", (close) => form([field("Name", name, "Its URL is " + location.origin + "/in/ and its name."), fields], "Make it", async () => {
    if (state.inboxes.some((i) => i.name === name.value)) throw new Error("There is an inbox of that name.");
    await api.put(name.value, entered());
    close();
    open(name.value);
  }), "drawer");
}

export function confirmClear() {
  const inbox = state.inbox;
  const done = (close, text) => { refresh(); close(); toast(text); };
  const permanent = ["default", "unmatched"].includes(inbox);
  dialog("Clear " + inbox + "?", (close) => form([h("p", {}, "What came is forgotten, and its script begins anew. Settings stay.")], "Clear", async () => {
    await api.clear(inbox);
    done(close, "Cleared");
  }, permanent ? "" : h("button", { type: "button", onclick: async () => { await api.remove(inbox); done(close, inbox + " removed"); open("default"); } }, "Remove the inbox")));
}
