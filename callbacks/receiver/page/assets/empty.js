// What to type next, where nothing has come yet.

import { copyButton, h } from "./dom.js";
import { open } from "./live.js";
import { set, state } from "./state.js";

export function nothingMatches() {
  return h("div.empty.filtered", {}, h("h2", {}, "Nothing matches"), h("p", {}, "What comes and matches will appear here."),
    h("button", { type: "button", onclick: () => { set({ text: "", verdict: "" }); open(state.inbox); } }, "Show all"));
}

export function emptyState() {
  if (state.inbox === "unmatched") {
    return h("div.empty", {}, h("h2", {}, "Nothing went astray"),
      h("p", {}, "A request to a path that is neither a route nor an inbox is listed here, with a hint at what may have been meant."));
  }
  return h("div.empty", {}, h("h2", {}, "Waiting for a callback"), ...commands().map(([title, text]) => [h("p", {}, title), command(text)]).flat());
}

function commands() {
  const here = state.info?.url ?? location.origin + "/in/" + state.inbox;
  const isDefault = state.inbox === "default";
  const curl = (url, body) => `curl ${url} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
  return [
    [state.server ? "Order from the Pet Store, and have it call back here:" : "Order from a Pet Store that runs at its usual address, and have it call back here:",
      curl((state.server || "http://127.0.0.1:8080") + "/api/orders", `{"product":"dog-food",\n       "callback_url":"${here}"}`)],
    [isDefault ? "Or send something yourself, to an inbox of your own:" : "Or send something yourself:", curl(isDefault ? location.origin + "/in/mine/hello" : here + "/hello", '{"hello":"world"}')],
    ["Or give this URL to any sender:", here],
  ];
}

function command(text) {
  return h("div.command", {}, h("pre", {}, text), copyButton("", "command", () => text));
}
