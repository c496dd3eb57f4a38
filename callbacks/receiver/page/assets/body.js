// A body, pretty: JSON as a tree in which what breaks the contract is marked, forms as a table, bytes as a dump.

import { h } from "./dom.js";
import { bytes, count } from "./format.js";
import { parse, pointer } from "./json.js";

/** body draws what came, or was answered. Wrong has what is said of fields, by JSON Pointer. */
export function body(message, contentType, wrong = new Map()) {
  if (message.body_base64) return dump(message.body_base64);
  const text = message.body ?? "";
  if (!text) return h("p.none", {}, "No body.");
  const tree = parse(text);
  if (tree) {
    return h("div.json", {}, missing(tree, wrong), node(tree, "", "", "", wrong));
  }
  if (contentType?.includes("x-www-form-urlencoded")) return form(text);
  return h("pre.text", {}, text);
}

/** missing is what is said of fields that are not there. */
function missing(tree, wrong) {
  const said = new Map();
  for (const [at, why] of wrong) if (!find(tree, at)) said.set(why, [...(said.get(why) ?? []), at || "/"]);
  return [...said].map(([why, places]) => h("p.missing", {}, why + ": ", h("code", {}, places.join("  "))));
}

function find(tree, at) {
  let value = tree;
  for (const key of at.split("/").slice(1)) {
    value = value.items?.find((m) => pointer(m.key) === "/" + key)?.value;
    if (!value) return false;
  }
  return at !== "";
}

function node(value, name, at, comma, wrong) {
  const why = wrong.get(at);
  const label = name ? [h("span.name", {}, name), ": "] : [];
  const remark = why ? h("span.remark", {}, why) : "";
  const kind = why ? ".wrong" : "";
  if (!value.items || value.items.length === 0) {
    const shown = value.items ? (value.kind === "array" ? "[]" : "{}") : value.raw;
    return h("div.line" + kind, {}, label, h("span." + value.kind, {}, shown), comma, remark);
  }
  const [begin, end] = value.kind === "array" ? "[]" : "{}";
  const last = value.items.length - 1;
  return h("details.node" + kind, { open: true },
    h("summary", {}, label, begin, h("span.folded", {}, " " + count(value.items.length, value.kind === "array" ? "item" : "member") + " " + end + comma), remark),
    h("div.inside", {}, value.items.map((m, i) => node(m.value, m.name, at + pointer(m.key), i < last ? "," : "", wrong))),
    h("div.end", {}, end + comma));
}

function form(text) {
  const rows = [...new URLSearchParams(text)].map(([name, value]) => h("tr", {}, h("th", {}, name), h("td", {}, value)));
  return h("table.pairs", {}, h("tbody", {}, rows));
}

/** dump shows bytes that are no text as hexdump -C does. */
function dump(base64) {
  const all = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const lines = [];
  for (let at = 0; at < Math.min(all.length, 4096); at += 16) {
    const part = [...all.subarray(at, at + 16)];
    const hex = part.map((b) => b.toString(16).padStart(2, "0")).join(" ").padEnd(48);
    lines.push(at.toString(16).padStart(8, "0") + "  " + hex + " " + part.map((b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : ".")).join(""));
  }
  if (all.length > 4096) lines.push("… of " + bytes(all.length));
  return h("pre.text", {}, lines.join("\n"));
}
