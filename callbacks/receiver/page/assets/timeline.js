// The attempts of one delivery, and how long the sender waited between them.

import { h } from "./dom.js";
import { answered, codeName, duration, time } from "./format.js";
import { select } from "./live.js";
import { state } from "./state.js";

export function timeline(r) {
  const attempts = state.attempts;
  if (attempts.length < 2 || !attempts.some((a) => a.number === r.number)) return "";
  return h("section.timeline", { "aria-label": "Attempts" },
    h("h2", {}, `${attempts.length} attempts`, h("span", {}, r.delivery_id)),
    h("ol", {}, attempts.map((a, i) => attempt(a, i, attempts[i - 1], a.number === r.number))));
}

function attempt(a, i, before, current) {
  const did = answered(a.answer);
  const wrong = [...new Set(a.verdicts.filter((v) => !v.ok).map((v) => codeName(v.code)))];
  return h("li", {},
    before ? h("span.gap", { title: "since the attempt before" }, "+" + duration(new Date(a.received_at) - new Date(before.received_at))) : "",
    h("button.attempt", { type: "button", "aria-current": current ? "true" : undefined, onclick: () => select(a.number) },
      h(`span.dot.${wrong.length ? "bad" : did.kind}`), h("span.nth", {}, String(i + 1)), h("span.status." + did.kind, {}, did.text), h("time", {}, time(a.received_at)),
      h("span.note", {}, a.answer?.fault && "on purpose: " + a.answer.fault), h("span.note.wrong", {}, wrong.join(", "))));
}
