// One message, with all that is known of it, and who sent it.

import { h } from "./dom.js";
import { client } from "./journal.js";

/** detail shows the message of a row. */
export function detail(entry, senders) {
  const { request, answer } = entry;
  return h("div.detail", {},
    h("dl", {},
      source(labelOf(entry), senders[entry.sender]),
      source("Verified by", senders[entry.verifier]),
      entry.explained && [h("dt", {}, entry.remark), h("dd", {}, entry.explained)],
      (entry.verdicts ?? []).map((v) => [h("dt", {}, v.ok ? `✓ ${v.check}` : `✗ ${v.check}`), h(v.ok ? "dd" : "dd.bad", {}, v.text)])),
    request && message(entry.kind === "update" ? "The update, as every way tells it" : entry.kind === "message" ? "The message" : "The request", request),
    entry.kind === "message" && request.line && frame(request.line),
    answer && message("The answer", answer));
}

const labelOf = (entry) => (entry.from !== client ? "Sent by" : entry.kind === "exchange" ? "Answered by" : "Taken by");

const source = (label, statements = []) =>
  statements.map((at, i) => [h("dt", {}, i < statements.length - 1 ? "Handled by" : label), h("dd.source", {}, h("code.place", {}, `${at.file}:${at.line}`), " ", h("code", {}, at.statement))]);

function message(title, { line, headers = [], body }) {
  const head = [title === "The message" ? "" : line, ...headers.map(([name, value]) => `${name}: ${value}`)].filter(Boolean).join("\n");
  const text = [head, body ? CallbacksPlugin.pretty(body) : ""].filter(Boolean).join("\n\n");
  return text && h("figure", {}, h("figcaption", {}, title), h("pre", { tabindex: 0, "aria-label": title }, text));
}

const frame = (raw) => h("figure", {}, h("figcaption", {}, "As it is on the wire"), h("pre", { tabindex: 0, "aria-label": "As it is on the wire" }, raw));
