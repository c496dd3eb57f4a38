// The ways, compared: what each cost, and how soon it knew.

import { bytes, duration } from "./diagram.js";
import { $, h, s } from "./dom.js";
import { names } from "./ways.js";

/** score fills the table of a run; without one it says what will be there. */
export function score(run, chosen) {
  const lines = chosen.map((way) => ({ way, ...(run ? tally(run, way) : {}) }));
  const worst = Math.max(1, ...lines.map((line) => line.delay ?? 0));
  $("#score tbody").replaceChildren(...lines.map((line) => h("tr", { "data-way": line.way },
    h("th", { scope: "row" }, h(`span.tag.${line.way}`, {}, names[line.way])),
    h("td", {}, line.requests ?? "–"),
    h("td", {}, line.bytes ? bytes(line.bytes) : "–"),
    h("td", {}, line.delay === undefined ? "–" : duration(line.delay)),
    h("td.wide", {}, line.delay !== undefined && bar(line.delay / worst)))));
}

/** tally counts the requests and bytes of a way, and the milliseconds from done to known. */
export function tally(run, way) {
  const entries = [...run.journal.entries.values()].filter((e) => e.way === way || (e.way === "ask" && way !== "blocking"));
  const sum = entries.reduce((total, e) => total + (e.bytes ?? 0), 0);
  const { at } = run.known.get(way) ?? {};
  const done = run.done(way);
  return { requests: entries.filter((e) => e.kind === "exchange").length, bytes: sum, delay: at && done ? Math.max(0, at - done) : undefined };
}

const bar = (part) => s("svg.meter", { "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 100 1" }, s("rect.at", { width: Math.max(1, 100 * part), height: 1 }));
