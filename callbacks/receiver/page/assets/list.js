// The live list: a row for each delivery, with its attempts folded.

import { fill, h, icon } from "./dom.js";
import { filterBy } from "./filter.js";
import { answered, codeName, count, time, unchecked } from "./format.js";
import { older, open, pause, select } from "./live.js";
import { draw, groups, set, state } from "./state.js";
import { emptyState, nothingMatches } from "./empty.js";

const root = document.getElementById("list");

export function mountList() {
  const rows = h("ul.rows", { role: "listbox", tabindex: "0", "aria-label": "Deliveries" });
  const note = h("p.note");
  const bottom = h("div.below");
  root.append(tools(), rows, bottom, note);
  draw(["requests", "selected", "loaded", "info", "inbox", "text", "verdict", "older"], () => drawRows(rows, bottom, note));
}

function tools() {
  const search = h("input.search", { type: "search", id: "search", placeholder: "Search in URLs, headers, bodies", "aria-label": "Search", autocomplete: "off", spellcheck: "false" });
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { set({ text: search.value.trim() }); open(state.inbox); }, 200);
  });
  draw(["text"], () => { if (document.activeElement !== search) search.value = state.text; });
  const box = h("div.chips", { role: "group", "aria-label": "Filter by verdict" });
  draw(["info", "verdict", "requests"], () => fill(box, filters()));
  const live = h("div.live");
  draw(["live", "follow"], () => fill(live, liveness()));
  return h("div.tools", {}, h("div.row", {}, h("label.searchbox", { for: "search" }, icon("search"), search, h("kbd", {}, "/")), live), box);
}

// The chips stay while their numbers change: who is just clicking on one would miss it otherwise.
const chips = [["", "All", "all"], ["ok", "Good", "good"], ["not_ok", "Not good", "bad"]].map(([value, label, kind]) =>
  ({ value, button: h(`button.chip.${kind}`, { type: "button", onclick: () => filterBy(value) }, label, h("span.n")) }));

function filters() {
  const { ok, not_ok } = state.info?.verdicts ?? { ok: 0, not_ok: 0 };
  const counts = { "": ok + not_ok, ok, not_ok };
  for (const { value, button } of chips) {
    button.setAttribute("aria-pressed", String(state.verdict === value));
    button.lastChild.textContent = counts[value].toLocaleString();
  }
  return [...chips.map(({ button }) => button), codes()];
}

/** codes lets one verdict be chosen among those that are there. */
function codes() {
  const found = new Map();
  for (const r of state.requests.values()) for (const v of r.verdicts) found.set(v.code, v.ok);
  const isCode = !["", "ok", "not_ok"].includes(state.verdict);
  if (isCode) found.set(state.verdict, found.get(state.verdict) ?? false);
  const option = ([code, ok]) => h("option", { value: code, selected: state.verdict === code }, (ok ? "" : "✗ ") + codeName(code));
  const sorted = [...found].sort(([a, aOK], [b, bOK]) => aOK - bOK || a.localeCompare(b));
  return h("select.chip", { "aria-label": "One verdict", class: isCode ? "chip chosen" : "chip", onchange: (e) => filterBy(e.target.value) },
    h("option", { value: "", selected: !isCode }, "Verdict…"), sorted.map(option));
}

function liveness() {
  const text = { connecting: "Connecting", live: "Live", lost: "Not connected", paused: "Paused" }[state.live];
  const paused = state.live === "paused";
  return [
    h(`span.lamp.${state.live}`, {}, text),
    h("button.quiet", { type: "button", title: (paused ? "Go on" : "Pause") + " (p)", "aria-label": paused ? "Go on" : "Pause", onclick: pause }, icon(paused ? "play" : "pause")),
  ];
}

const drawn = new Map(); // rows by the key of their group
let settled = false; // what is drawn from now on has just come
let later = null; // when the rest is drawn

/** drawRows draws what stands at the top at once. Of what has just come the rest waits until there is time. */
function drawRows(rows, bottom, note, whole = !settled || rows.scrollTop > 0) {
  const all = groups();
  const keys = new Set(all.map((g) => g.key));
  for (const [key, { element }] of drawn) if (!keys.has(key)) { drawn.delete(key); element.remove(); }
  const now = whole ? all : all.slice(0, 100);
  now.forEach((group, i) => place(rows, row(group, group.requests.some((r) => r.number === state.selected)), i));
  clearTimeout(later);
  if (now.length < all.length) later = setTimeout(() => drawRows(rows, bottom, note, true), 300);
  settled = state.loaded;
  rows.setAttribute("aria-activedescendant", rows.querySelector("[aria-selected=true]")?.id ?? "");
  rows.hidden = all.length === 0;
  fill(bottom, all.length === 0 && state.loaded ? nothing() : []);
  fill(note, remarks(all.length));
}

function nothing() {
  return state.text || state.verdict ? [nothingMatches()] : [h("p.nothing", {}, "Nothing has come yet."), emptyState()];
}

/** place moves a row only if it stands elsewhere: moving it would begin its animation again. */
function place(rows, element, i) {
  if (rows.children[i] !== element) rows.insertBefore(element, rows.children[i] ?? null);
}

function remarks(deliveries) {
  const { dropped = 0, total = 0 } = state.info ?? {};
  return [
    state.requests.size > deliveries && h("span", {}, count(state.requests.size, "request") + " in " + count(deliveries, "delivery", "deliveries")),
    dropped > 0 && h("span", {}, `The oldest ${dropped.toLocaleString()} of ${total.toLocaleString()} were let go.`),
    state.older && h("button.link", { type: "button", id: "older", onclick: older }, "Show older"),
  ];
}

/** row draws a group, or finds the row as it was drawn before. */
function row(group, selected) {
  const { latest: r } = group;
  const signature = [r.number, r.verdict, r.answer?.status, r.answer?.duration_ms, r.forwards.length, group.requests.length, selected].join(" ");
  const before = drawn.get(group.key);
  if (before?.signature === signature) return before.element;
  const element = h("li.item", { role: "option", id: "r" + r.number, "aria-selected": String(selected), onclick: () => select(r.number) },
    h(`span.mark.${mark(r)}`, { title: { good: "Good", bad: "Not good", wait: "Not judged yet", plain: "Nothing to judge by" }[mark(r)] }),
    h("div.what", {}, h("span.method", {}, r.method), h("span.path", { title: r.target }, r.path.replace(`/in/${r.inbox}/`, "/")), again(group)),
    h(`span.status.${answered(r.answer).kind}`, { title: answered(r.answer).long }, answered(r.answer).text),
    h("div.why", {}, why(r)),
    h("time", { datetime: r.received_at }, time(r.received_at)));
  if (before) before.element.replaceWith(element);
  else if (settled) element.classList.add("fresh");
  drawn.set(group.key, { signature, element });
  return element;
}

const mark = (r) => (r.verdict === "not_ok" ? "bad" : !r.verdict ? "wait" : r.verdicts.every(unchecked) ? "plain" : "good");

function again(group) {
  const n = Math.max(group.requests.length, group.latest.attempt);
  return n > 1 ? h("span.again", { title: n + " attempts of one delivery" }, "×" + n) : "";
}

/** why is what is wrong, else what it is. */
function why(r) {
  const wrong = [...new Set(r.verdicts.filter((v) => !v.ok).map((v) => v.code))];
  const what = r.hint || r.type || r.delivery_id || r.query;
  return [...wrong.map((code) => h("span.wrong", {}, codeName(code))), what ? h("span.type", {}, what) : ""];
}

/** step selects the row that is so many rows further down. */
export function step(by) {
  const all = groups();
  if (!all.length) return;
  const at = all.findIndex((g) => g.requests.some((r) => r.number === state.selected));
  const next = all[Math.min(Math.max(at < 0 ? 0 : at + by, 0), all.length - 1)];
  select(next.latest.number);
  requestAnimationFrame(() => document.getElementById("r" + next.latest.number)?.scrollIntoView({ block: "nearest" }));
}
