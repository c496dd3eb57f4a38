// The swimlane diagram: a row for each message, drawn across three lanes.

import { detail } from "./detail.js";
import { $, h, s } from "./dom.js";
import { client, receiver, server } from "./journal.js";
import { names } from "./ways.js";

const lanes = [10, 50, 90]; // where they are, in percent
const laneNames = ["client", "server", "receiver"];
const together = 150; // ms: an answer that comes sooner is drawn in the row of its request
const rows = new Map(); // by key: { element, drawn, entry }

/** draw shows what a run's journal holds. Rows that are there stay, so that the keyboard does not lose its place. */
export function draw(run, senders) {
  const list = $("#rows");
  const atEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 60;
  const wanted = rowsOf(run);
  const keys = new Set(wanted.map((row) => row.key));
  for (const [key, { element }] of rows) if (!keys.has(key)) element.remove() ?? rows.delete(key);
  let place = list.firstElementChild;
  for (const row of wanted) {
    const element = update(row, senders);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  rove(list);
  if (atEnd && !list.contains(document.activeElement)) list.scrollTop = list.scrollHeight;
}

/** clear removes all rows. */
export function clear() {
  rows.clear();
  $("#rows").replaceChildren();
}

// ---- What is drawn

function rowsOf(run) {
  const entries = run.journal.sorted();
  const begin = entries[0]?.at;
  const all = entries.flatMap((entry) => partsOf(entry).map((part) => ({ key: `${entry.id} ${part}`, entry, part, at: part === "answer" ? entry.end : entry.at })));
  all.sort((a, b) => a.at - b.at || a.entry.order - b.entry.order);
  const spans = entries.filter((e) => partsOf(e).includes("request") || e.open || e.closed).map((e) => ({ e, end: e.open ? Infinity : Math.max(e.closed ?? 0, e.end ?? (run.state === "running" ? Infinity : e.at)) }));
  for (const row of all) {
    row.since = row.at - begin;
    row.busy = laneNames.map((_, lane) => spans.some(({ e, end }) => (e.from === lane || e.to === lane) && e.at < row.at && row.at < end));
  }
  return all;
}

function partsOf(entry) {
  if (entry.kind !== "exchange") return [entry.kind];
  if (!entry.end) return ["request"];
  return entry.end - entry.at < together ? ["pair"] : ["request", "answer"];
}

// ---- One row

function update(row, senders) {
  const { entry, part, key } = row;
  const shown = rows.get(key) ?? { open: false };
  const drawn = JSON.stringify([part, row.since, row.busy, entry.tone, entry.title, entry.end, entry.progress, entry.message, entry.verdicts?.length, entry.number, entry.due, shown.open, entry.answer?.line, entry.remark]);
  if (drawn === shown.drawn) return shown.element;
  if (!shown.element) {
    shown.element = h("li.row");
    shown.button = part === "wait" ? h("div.line") : h("button.line", { type: "button", tabindex: -1, "aria-expanded": "false", onclick: () => toggle(shown) });
    shown.element.append(shown.button);
    rows.set(key, shown);
  }
  shown.element.setAttribute("class", `row ${part} ${toneOf(row)}${shown.drawn ? "" : " new"}`);
  Object.assign(shown, { drawn, entry, senders });
  shown.element.dataset.way = entry.way ?? "";
  shown.button.replaceChildren(h("span.time", {}, seconds(row.since)), h("span.aside", {}, direction(row)), h("span.lanes", {}, picture(row), ...labels(row)));
  if (shown.open) showDetail(shown);
  return shown.element;
}

function toneOf({ entry, part }) {
  if (part === "wait") return "wait";
  if (part === "request" && entry.tone === "good") return "plain";
  return entry.tone ?? "plain";
}

function toggle(shown) {
  shown.open = !shown.open;
  shown.button.setAttribute("aria-expanded", shown.open);
  shown.element.querySelector(".detail")?.remove();
  if (shown.open) showDetail(shown);
}

function showDetail(shown) {
  shown.element.querySelector(".detail")?.remove();
  shown.element.append(detail(shown.entry, shown.senders));
}

// picture draws the lanes, and the arrows of a row.
function picture({ entry, part, busy }) {
  const forth = entry.from !== undefined && part !== "answer" && arrow(entry.from, entry.to, part === "wait" ? "dashed forth" : "forth");
  const back = (part === "pair" || part === "answer") && arrow(entry.to, entry.from, "dashed back");
  return s("svg.picture", { "aria-hidden": "true" },
    lanes.map((x, lane) => s(busy[lane] ? "line.lane.busy" : "line.lane", { x1: `${x}%`, x2: `${x}%`, y1: 0, y2: "100%" })),
    forth, back);
}

// arrow is solid for what is said, and dashed for an answer and for what is yet to come.
function arrow(from, to, name) {
  const right = to > from;
  return s("g", { class: `arrow ${name}` },
    s("line", { x1: `${lanes[from]}%`, x2: `${lanes[to]}%`, pathLength: name === "forth" ? 1 : undefined }),
    s("svg", { x: `${lanes[to]}%`, class: "head" }, s("path", { d: right ? "M-1 0-9-4.5V4.5z" : "M1 0 9-4.5V4.5z" })));
}

function labels(row) {
  const { entry, part } = row;
  if (part === "update") return [updateCard(entry)];
  const place = Math.min(entry.from, entry.to) === client ? "left" : "right";
  const request = h(`span.label.first.${place}`, {}, tag(entry), h("span.what", {}, title(entry)), entry.subtitle && h("span.meta.attempt", {}, entry.subtitle), part === "message" && h("span.meta", {}, bytes(entry.bytes)));
  const answer = h(`span.label.second.${place}`, {}, h("span.what.status", {}, entry.answer?.line), entry.remark && h("span.meta.remark", { title: entry.explained }, entry.remark), ...verdict(entry), h("span.meta.figures", {}, figures(entry)));
  if (part === "wait") return [h(`span.label.first.${place}`, {}, tag(entry), h("span.what", {}, `attempt ${entry.number}`), h("span.meta.countdown", {})), h(`span.label.bar.${place}`, {}, h("progress", { max: 1, value: 0, "aria-label": `Until attempt ${entry.number}` }))];
  if (part === "request" || part === "message") return [request];
  if (part === "answer") return [h(`span.label.first.${place}`, {}, entry.way !== "callback" && tag(entry), ...answer.childNodes)];
  return [request, answer];
}

// title is in two pieces: the first, which says what all of a kind have in common, is left out where there is no room.
function title(entry) {
  const [, common, rest] = /^([a-z]+\.|[a-z]+-update |emit |progress (?=\d))?(.*)$/.exec(entry.title);
  return [common && h("span.common", {}, common), rest];
}

const updateCard = (entry) => h("span.card", {}, h("span.what", {}, title(entry)), h("span.message", {}, entry.message), h("span.meta", {}, `${entry.progress} %`), meter(entry.progress));

function meter(value) {
  return s("svg.meter", { "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 100 1" }, s("rect.of", { width: 100, height: 1 }), s("rect.at", { width: value, height: 1 }));
}

const tag = (entry) => names[entry.way] && h(`span.tag.${entry.way}`, {}, names[entry.way]);

// verdict is what the receiver says of a callback, in a word.
function verdict({ verdicts = [], remark }) {
  const wrong = verdicts.filter((v) => !v.ok);
  if (verdicts.length === 0 || (remark && wrong.length === 0)) return [];
  return wrong.length > 0 ? wrong.slice(0, 1).map((v) => h("span.verdict.bad", { title: v.text }, `✗ ${v.check}`)) : [h("span.verdict.good", { title: "The receiver finds nothing wrong with it." }, "✓ signature")];
}

const figures = (entry) => [duration(entry.ms ?? entry.end - entry.at), bytes(entry.bytes)].filter(Boolean).join(" · ");

// ---- Words and numbers

const seconds = (ms) => (ms < 0.5 ? "0 s" : `${(ms / 1000).toFixed(2)} s`);
export const duration = (ms) => (ms === undefined || Number.isNaN(ms) ? "" : ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
export const bytes = (n) => (!n ? "" : n < 1024 ? `${n} B` : `${(n / 1024).toFixed(1)} KiB`);

// direction is what a picture says to those who don't see it.
function direction({ entry, part }) {
  if (part === "update") return "the server notes: ";
  const [from, to] = part === "answer" ? [entry.to, entry.from] : [entry.from, entry.to];
  return `${laneNames[from]} to ${laneNames[to]}: `;
}

// ---- The countdown of the next attempt

/** tick moves the countdowns on, and reports whether there are any. */
export function tick() {
  let any = false;
  for (const { element, entry } of rows.values()) {
    if (entry.kind !== "wait" || !element.isConnected) continue;
    any = true;
    const left = entry.due - Date.now();
    element.querySelector(".countdown").textContent = left > 0 ? `in ${(left / 1000).toFixed(1)} s` : "is under way";
    const bar = element.querySelector("progress");
    if (left > 0) bar.value = 1 - left / Math.max(entry.due - entry.since, left);
    else bar.removeAttribute("value");
  }
  return any;
}

// ---- The keyboard: one row is in the order of Tab, arrows go to the others

function rove(list) {
  const buttons = [...list.querySelectorAll("button.line")];
  if (!buttons.some((b) => b.tabIndex === 0) && buttons[0]) buttons[0].tabIndex = 0;
}

/** listen lets the keyboard move between rows. */
export function listen() {
  $("#rows").addEventListener("keydown", (event) => {
    const buttons = [...$("#rows").querySelectorAll("button.line")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
  });
  $("#rows").addEventListener("focusin", ({ target }) => {
    if (!target.matches("button.line")) return;
    for (const button of $("#rows").querySelectorAll("button.line")) button.tabIndex = button === target ? 0 : -1;
  });
}
