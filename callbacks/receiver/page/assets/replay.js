// Sending a captured request again.

import * as api from "./api.js";
import { body } from "./body.js";
import { h } from "./dom.js";
import { dialog, field, form } from "./dialog.js";
import { duration, outcome } from "./format.js";
import { state } from "./state.js";

let last = ""; // where the last one went

export function openReplay(r) {
  const to = h("input", { type: "url", required: true, value: last || state.info?.forward_to || "http://127.0.0.1:3000" + r.path, spellcheck: "false" });
  const sign = h("input", { type: "checkbox", id: "sign" });
  const result = h("div.result");
  dialog("Replay request #" + r.number, () => [
    form([
      field("To", to, "A server on this machine, unless the receiver was started to allow others."),
      h("label.tick", { for: "sign" }, sign, "Sign anew, with the inbox's secret and the time of now"),
      h("p.about", {}, "Otherwise it is sent byte for byte, with the signature and the timestamp with which it came."),
    ], "Send", async () => {
      last = to.value;
      const exchange = await api.replay(r.inbox, r.number, { url: to.value, sign: sign.checked });
      result.replaceChildren(shown(exchange));
    }),
    result,
  ]);
}

function shown(e) {
  const did = outcome(e);
  return h("div", {}, h("p", {}, h(`span.status.${did.kind}`, {}, did.text), " ", e.error || "in " + duration(e.duration_ms)),
    e.error ? "" : body(e, e.headers.find((x) => x.name.toLowerCase() === "content-type")?.value));
}
