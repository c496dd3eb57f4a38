// What the receiver thinks of a request.

import { h, icon } from "./dom.js";
import { unchecked } from "./format.js";
import { select } from "./live.js";
import { filterBy } from "./filter.js";

export function verdicts(r) {
  if (!r.verdicts.length) return "";
  const sorted = [...r.verdicts].sort((a, b) => a.ok - b.ok);
  return h("section.verdicts", { "aria-label": "Verdicts" }, h("ul", {}, sorted.map(verdict)));
}

function verdict(v) {
  const kind = unchecked(v) ? "plain" : v.ok ? "good" : "bad";
  return h(`li.verdict.${kind}`, { "data-code": v.code },
    icon({ plain: "dash", good: "check", bad: "cross" }[kind]),
    h("div.text", {}, v.text, " ", v.earlier ? earlier(v.earlier) : ""),
    h("div.rests", {}, h("button.code", { type: "button", title: "Show only requests with this verdict", onclick: () => filterBy(v.code) }, v.code), source(v.source)));
}

function earlier(number) {
  return h("button.link", { type: "button", onclick: () => select(Number(number)) }, "#" + number);
}

function source(place) {
  if (!place.startsWith("https://")) return h("span.source", { title: place }, place);
  const { hostname, hash } = new URL(place);
  return h("a.source", { href: place, target: "_blank", rel: "noreferrer noopener", title: place }, hostname + hash.replaceAll("-", " ").replace("#", " · "));
}
