// One request: verdicts, the timeline of its attempts, and what it consists of.

import * as api from "./api.js";
import { body } from "./body.js";
import { copy, copyButton, fill, h, icon } from "./dom.js";
import { answered, bytes, date, duration, outcome, time } from "./format.js";
import { emptyState } from "./empty.js";
import { details, select } from "./live.js";
import { openReplay } from "./replay.js";
import { draw, set, state } from "./state.js";
import { timeline } from "./timeline.js";
import { verdicts } from "./verdicts.js";

const root = document.getElementById("detail");
const panes = document.getElementById("panes");

export function mountDetail() {
  let version = "";
  draw(["selected", "requests"], () => {
    const known = state.requests.get(state.selected);
    const now = state.selected + " " + JSON.stringify([known?.answer, known?.forwards, known?.attempt]);
    if (now !== version) { version = now; details(); }
  });
  draw(["requests", "follow", "loaded"], follow);
  draw(["selected", "full", "attempts", "tab"], drawDetail);
  draw(["requests", "loaded", "info"], () => state.selected === null && drawDetail());
}

/** follow shows the newest request, as long as nobody has chosen another. On a narrow screen it would cover the list. */
function follow() {
  if (!state.follow || !matchMedia("(min-width: 900px)").matches || !state.requests.size) return;
  select(Math.max(...state.requests.keys()), true);
}

function drawDetail() {
  panes.classList.toggle("open", state.selected !== null);
  const r = state.full;
  if (state.selected === null) {
    delete root.dataset.number;
    return root.replaceChildren(state.loaded && !state.requests.size && !state.text && !state.verdict ? emptyState() : h("p.hint", {}, state.requests.size ? "Choose a request, to see all of it." : ""));
  }
  if (!r) return; // What was shown stays until the next has come.
  if (r.gone) return root.replaceChildren(back(), h("p.hint", {}, `Request #${r.number} is not there any more.`));
  const scroll = root.scrollTop;
  const same = root.dataset.number === String(r.number);
  root.dataset.number = r.number;
  fill(root, head(r), verdicts(r), timeline(r), tabs(r), panel(r));
  root.scrollTop = same ? scroll : 0;
}

const back = () => h("button.quiet.back", { type: "button", "aria-label": "Back to the list", onclick: () => set({ selected: null, full: null, follow: false }) }, icon("back"));

function head(r) {
  const a = answered(r.answer);
  const facts = ["#" + r.number, date(r.received_at), r.protocol, "from " + r.remote_addr, bytes(r.body_bytes), r.answer ? "in " + duration(r.answer.duration_ms) : ""];
  return h("header.head", {},
    h("div.line", {}, back(), h("span.method", {}, r.method), h("h1", {}, r.path, r.query ? h("span.query", {}, "?" + r.query) : ""), h(`span.status.${a.kind}`, {}, a.text)),
    h("p.facts", {}, facts.filter(Boolean).join(" · ")),
    r.hint ? h("p.didyoumean", {}, r.hint) : "",
    r.body_error ? h("p.didyoumean", {}, { too_long: "The body is longer than is kept.", incomplete: "The body broke off." }[r.body_error]) : "",
    h("div.buttons", {},
      h("button", { type: "button", title: "Replay (r)", onclick: () => openReplay(r) }, icon("replay"), "Replay"),
      h("button", { type: "button", title: "Copy as curl (c)", onclick: copyCurl }, icon("copy"), "Copy as curl"),
      h("a.button", { href: api.href(r.inbox, r.number, "har"), download: `request-${r.number}.har` }, icon("download"), "HAR")));
}

/** chosen is the selected request, of which only the summary is known while it loads; null if there is none. */
const chosen = () => (state.full?.gone ? null : state.full ?? state.requests.get(state.selected) ?? null);

/** copyCurl copies the command that sends the selected request again. */
export async function copyCurl() {
  const r = chosen();
  if (r) copy((await api.text(r.inbox, r.number, "curl")).trim(), "curl command");
}

const panels = {
  body: { label: () => "Body", draw: bodyPanel },
  headers: { label: (r) => ["Headers", h("span.n", {}, r.headers.length + (r.trailers?.length ?? 0))], draw: headersPanel },
  raw: { label: () => "Raw", draw: rawPanel },
  answer: { label: () => "Answer", draw: answerPanel },
  forwards: { label: (r) => ["Passed on", h("span.n", {}, r.forwards.length)], draw: forwardsPanel, hidden: (r) => !r.forwards.length },
};

export const tabNames = Object.keys(panels);

function shownTab(r) {
  return panels[state.tab].hidden?.(r) ? "body" : state.tab;
}

function tabs(r) {
  const shown = shownTab(r);
  return h("div.tabs", { role: "tablist" }, Object.entries(panels).filter(([, p]) => !p.hidden?.(r)).map(([name, p], i) =>
    h("button", { type: "button", role: "tab", id: "tab-" + name, "aria-controls": "panel", "aria-selected": String(name === shown), title: `(${i + 1})`, onclick: () => set({ tab: name }) }, p.label(r))));
}

function panel(r) {
  const shown = shownTab(r);
  return h("div.panel", { role: "tabpanel", id: "panel", "aria-labelledby": "tab-" + shown, "data-tab": shown }, panels[shown].draw(r));
}

const header = (message, name) => message.headers?.find((x) => x.name.toLowerCase() === name)?.value ?? "";

/** wrongFields are what the contract says of fields of the body. */
function wrongFields(r) {
  return new Map(r.verdicts.filter((v) => v.check === "schema" && !v.ok && v.field?.startsWith("/")).map((v) => [v.field, v.text.replace(v.field + ": ", "").replace(/ \([^)]*\)\.$/, "")]));
}

function bodyPanel(r) {
  const tools = r.body ? h("div.corner", {}, copyButton("", "body", () => r.body)) : "";
  return [tools, body(r, header(r, "content-type"), wrongFields(r))];
}

function headersPanel(r) {
  const wrong = new Map(r.verdicts.filter((v) => v.field?.startsWith("header ")).map((v) => [v.field.slice(7).toLowerCase(), v.text]));
  return [pairs(r.headers, wrong), r.trailers ? [h("p.sentence", {}, "Trailers, after the body:"), pairs(r.trailers)] : "", r.headers_exact ? "" : h("p.none", {}, "Order and spelling of these were lost.")];
}

function pairs(headers, wrong = new Map()) {
  return h("table.pairs", {}, h("tbody", {}, headers.map(({ name, value }) => {
    const why = wrong.get(name.toLowerCase());
    return h(why ? "tr.wrong" : "tr", {}, h("th", {}, name), h("td", {}, value, why ? h("span.remark", {}, why) : ""));
  })));
}

function rawPanel(r) {
  const shown = h("pre.text", {}, "…");
  api.text(r.inbox, r.number, "raw").then((text) => { shown.textContent = text; }, (problem) => { shown.textContent = problem.message; });
  return [
    h("div.corner", {}, copyButton("", "raw request", () => shown.textContent), h("a.quiet", { href: api.href(r.inbox, r.number, "raw"), title: "Download", "aria-label": "Download" }, icon("download"))),
    shown,
  ];
}

function answerPanel(r) {
  const a = r.answer;
  if (!a) return h("p.none", {}, "It is still being answered.");
  const facts = [answered(a).long, "in " + duration(a.duration_ms), bytes(a.bytes), a.fault ? "on purpose: " + a.fault : "", a.gone ? "the sender had gone before the end" : ""];
  return [h("p.sentence", {}, facts.filter(Boolean).join(", ") + "."), pairs(a.headers), body(a, header(a, "content-type"))];
}

function forwardsPanel(r) {
  return h("ul.exchanges", {}, [...r.forwards].reverse().map((e, i) => h("li", {}, h("details", { open: i === 0 },
    h("summary", {}, h(`span.status.${outcome(e).kind}`, {}, outcome(e).text), h("span.kind", {}, e.kind), h("span.path", {}, e.url), h("time", {}, time(e.at) + ", " + duration(e.duration_ms))),
    e.error ? h("p.none", {}, e.error) : [pairs(e.headers), body(e, header(e, "content-type"))]))));
}

/** showTab shows the tab at a place, from 0. */
export function showTab(i) {
  const r = chosen();
  if (!r) return;
  const names = tabNames.filter((name) => !panels[name].hidden?.(r));
  if (names[i]) set({ tab: names[i] });
}
