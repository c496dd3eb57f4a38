// The lab: what is chosen, what is shown.

import { callbackURL, faults, kinds } from "./ask.js";
import { clear, draw, listen, tick } from "./diagram.js";
import { $, h, soon } from "./dom.js";
import { Run } from "./run.js";
import { score } from "./score.js";
import { snippet } from "./snippets.js";

const base = new URL(".", document.baseURI);
const form = $("#ask");
const settings = await (await fetch(new URL("lab/settings.json", base))).json();
const offered = faults();
let run;
let language = "curl";

// ---- What is chosen

function choice() {
  const data = new FormData(form);
  const kind = data.get("kind");
  const ways = data.getAll("way");
  const fault = offered.find(({ name }) => name === data.get("fault")) ?? offered[0];
  const body = kinds[kind].body(Object.fromEntries(data));
  const url = (data.get("callback_url") ?? "").replace(/[\r\n]/g, "").trim();
  if (ways.includes("callback") && url) body.callback_url = url;
  return { kind, ways, fault, body, receiver: Boolean(settings.receiver) && (body.callback_url ?? "").startsWith(settings.receiver) };
}

function showKind() {
  const kind = new FormData(form).get("kind");
  for (const fields of form.querySelectorAll("[data-kind]")) {
    fields.hidden = fields.dataset.kind !== kind;
    for (const field of fields.querySelectorAll("input, select")) field.disabled = fields.hidden;
  }
  form.outcome.replaceChildren(...Object.keys(kinds[kind].outcomes).map((name) => h("option", {}, name)));
  form.outcome.disabled = form.outcome.length < 2;
  fillOutcome();
  fillURL();
}

// fillOutcome writes what leads to an outcome into the fields, where one sees it.
function fillOutcome() {
  const kind = new FormData(form).get("kind");
  for (const [name, value] of Object.entries(kinds[kind].outcomes[form.outcome.value])) form.elements[name].value = value;
}

function fillURL() {
  const { kind, fault } = choice();
  if (settings.receiver) form.callback_url.value = callbackURL(settings.receiver, kind, fault);
}

function showNotes() {
  const { ways, fault, kind } = choice();
  const called = ways.includes("callback");
  form.fault.disabled = !called || !settings.receiver;
  form.callback_url.disabled = !called;
  form.callback_url.required = called;
  $("#fault-note").textContent = called ? fault.text : "Only a callback meets the receiver.";
  if (!settings.receiver) $("#fault-note").textContent = "This server runs without the sample receiver.";
  $("#ways-note").textContent = noteOf(ways);
  score(run, run?.choice.ways ?? ways);
  showSnippet(kind);
}

function noteOf(ways) {
  if (ways.length === 0) return "Choose at least one.";
  if (!settings.receiver && ways.includes("callback")) return "There is no sample receiver here: give a URL of your own.";
  if (ways.length === 1 && /socket/.test(ways[0])) return "Alone, it asks over the socket, too: emit process.";
  if (ways.length > 1 && ways.includes("blocking")) return "Blocking asks a second time, with Prefer: wait, since its answer comes last.";
  return "";
}

function showSnippet() {
  $("#snippet").textContent = snippet(language, { ...choice(), base });
}

// ---- What happens

const show = soon(() => {
  if (!run) return;
  draw(run, settings.senders);
  showState();
  score(run, run.choice.ways);
  countDown();
});

function showState() {
  const updates = [...(run.trace?.updates.values() ?? [])].sort((a, b) => a.sequence - b.sequence);
  const last = updates.at(-1);
  const failed = run.state === "failed" || (last && ["failed", "cancelled"].includes(last.status));
  $("#stage").dataset.state = run.state;
  $("#state").textContent = stateName(last);
  $("#state").className = `pill ${run.state === "running" ? "wait" : failed ? "bad" : run.state === "done" ? "good" : ""}`;
  $("#progress").value = last?.progress ?? 0;
  $("#message").textContent = last?.message ?? "";
  const problem = run.problem || (run.state === "running" && run.trace?.error) || "";
  $("#problem").textContent = problem;
  $("#problem").hidden = !problem;
  $("#hint").hidden = false;
  $("#hint").textContent = hint();
  $("#stop").disabled = run.state !== "running";
  $("#spoken").textContent = [last?.message, lastAttempt()].filter(Boolean).join(". ");
}

function hint() {
  const overtaken = [...run.journal.entries.values()].find((entry) => entry.remark === "overtaken");
  return "Select an arrow to see the message, and the statement that sent it." + (overtaken ? ` Overtaken: ${overtaken.explained}` : "");
}

function stateName(last) {
  if (run.state === "stopped" || run.state === "failed") return run.state;
  return run.state === "running" && last && last.status !== "processing" ? `${last.status}, still calling back` : (last?.status ?? "processing");
}

function lastAttempt() {
  const tries = [...(run.trace?.deliveries.values() ?? [])].flatMap((d) => d.tries.map((a) => ({ ...a, type: d.type })));
  const last = tries.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at)).at(-1);
  return last && `${last.type}, attempt ${last.number}: ${last.status_code ?? last.error}`;
}

let counting;
function countDown() {
  if (!tick() || counting) return;
  counting = setInterval(() => {
    if (run?.state === "running" && tick()) return;
    clearInterval(counting);
    counting = undefined;
  }, 100);
}

function start(event) {
  event.preventDefault();
  const chosen = choice();
  if (chosen.ways.length === 0) return form.querySelector("[name=way]").focus();
  run?.stop();
  clear();
  $("#empty").hidden = true;
  run = new Run({ base, choice: chosen, kind: kinds[chosen.kind] }, show);
  run.start();
  show();
  if (matchMedia("(max-width: 900px)").matches) $("#stage").scrollIntoView({ block: "start" });
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("#snippet").textContent);
    $("#copy-it").textContent = "Copied";
    setTimeout(() => ($("#copy-it").textContent = "Copy"), 2000);
  } catch {
    getSelection().selectAllChildren($("#snippet")); // a page that may not: to be copied by hand
  }
}

// ---- The page

async function fillProducts() {
  try {
    const { items } = await (await fetch(new URL("api/products?limit=50", base))).json();
    form.product.replaceChildren(...items.map(({ slug, stock }) => h("option", { value: slug }, stock > 0 ? slug : `${slug} (none left)`)));
  } catch {
    // Those that are there will do.
  }
}

function showReceiver() {
  if (!settings.receiver) {
    form.querySelector("[value=callback]").checked = false;
    form.querySelector("[value=sse]").checked = true;
    return;
  }
  const { hostname, host } = new URL(settings.receiver);
  $("#receiver-name").replaceChildren(hostname, h("wbr"), host.slice(hostname.length));
  Object.assign($("#receiver-page"), { href: `${settings.receiver}/`, hidden: false });
}

form.fault.replaceChildren(...offered.map(({ name }) => h("option", {}, name)));
form.addEventListener("change", ({ target }) => {
  if (target.name === "kind") showKind();
  if (target.name === "outcome") fillOutcome();
  if (target.name === "fault") fillURL();
  showNotes();
});
form.addEventListener("input", showSnippet);
form.callback_url.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return; // a URL has one line
  event.preventDefault();
  form.requestSubmit();
});
form.addEventListener("submit", start);
$("#stop").addEventListener("click", () => run?.stop());
$("#copy-it").addEventListener("click", copy);
for (const button of document.querySelectorAll("#copy [aria-pressed]")) {
  button.addEventListener("click", () => {
    language = button.value;
    for (const other of document.querySelectorAll("#copy [aria-pressed]")) other.setAttribute("aria-pressed", other === button);
    showSnippet();
  });
}
listen();
showReceiver();
await fillProducts();
showKind();
showNotes();
document.documentElement.dataset.ready = "";
