// Keeping the state true: a list of what is there, and a stream of what comes.

import * as api from "./api.js";
import { toast } from "./dom.js";
import { pageSize, query, set, state } from "./state.js";

let stream = null;
const told = new Map(); // by the stream, while the list is on its way
let turn = 0; // what was asked for before the last turn is of no interest

/** open shows an inbox, or the same one again with another filter. */
export async function open(inbox, number = null) {
  const mine = ++turn;
  stream?.close();
  told.clear();
  const another = inbox !== state.inbox;
  set({ inbox, live: "connecting", loaded: false, ...(another || number ? { selected: number, full: null, attempts: [], follow: !number } : {}) });
  set({ most: pageSize, older: false, ...(another ? { requests: new Map(), info: null } : {}) });
  connect(mine);
  await load(mine);
  refresh();
}

function connect(mine) {
  stream = new EventSource(api.streamHref(state.inbox, query()));
  stream.onopen = () => mine === turn && set({ live: "live" });
  stream.onerror = () => mine === turn && set({ live: "lost" });
  const take = (event) => mine === turn && arrive([JSON.parse(event.data)]);
  stream.addEventListener("request", take);
  stream.addEventListener("update", take);
  stream.addEventListener("clear", () => mine === turn && (set({ requests: new Map(), older: false, selected: null, full: null, attempts: [], follow: true }), refresh()));
  stream.addEventListener("gap", () => mine === turn && (set({ loaded: false }), load(mine)));
}

async function load(mine) {
  try {
    const { items } = await page();
    if (mine !== turn) return;
    // What the stream has told meanwhile is newer than the list.
    set({ requests: byNumber([...items, ...told.values()]), loaded: true, older: items.length === pageSize });
    told.clear();
  } catch (problem) {
    if (mine === turn) { set({ loaded: true }); toast(problem.message, true); }
  }
}

const page = (before) => api.list(state.inbox, { ...query(), ...before, order: "newest", limit: pageSize, view: "summary" });

const byNumber = (requests) => new Map(requests.map((r) => [r.number, r]).sort(([a], [b]) => a - b));

/** older loads those that came before what is shown. */
export async function older() {
  const mine = turn;
  try {
    const { items } = await page({ before: state.requests.keys().next().value });
    if (mine !== turn) return;
    set({ requests: byNumber([...items, ...state.requests.values()]), most: state.most + pageSize, older: items.length === pageSize });
  } catch (problem) { toast(problem.message, true); }
}

function arrive(requests) {
  for (const r of requests) {
    state.requests.set(r.number, r);
    if (!state.loaded) told.set(r.number, r);
  }
  for (const oldest of state.requests.keys()) {
    if (state.requests.size <= state.most) break;
    state.requests.delete(oldest);
    set({ older: true });
  }
  set({ requests: state.requests });
  refresh();
}

/** pause stops listening; what comes meanwhile is loaded afterwards. */
export function pause() {
  if (state.live === "paused") return void open(state.inbox);
  stream?.close();
  set({ live: "paused" });
}

let refreshing = null;

/** refresh asks for the counts, once in a while however much comes. */
export function refresh() {
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    try {
      const { items, server_url: server } = await api.inboxes();
      set({ inboxes: items, server, info: items.find((i) => i.name === state.inbox) ?? null });
    } catch { /* The stream says that the receiver is gone. */ }
  }, 150);
}

/** select shows one request. */
export function select(number, follow = false) {
  if (state.selected === number && state.follow === follow) return; // to set it would have it drawn, each frame anew
  if (state.selected === number) return set({ follow });
  set({ selected: number, follow, full: null, attempts: [] });
}

/** details loads what is shown of the selected request, again when it has changed. */
export async function details() {
  const number = state.selected;
  if (number === null) return;
  try {
    const full = await api.request(state.inbox, number);
    if (state.selected !== number) return;
    set({ full });
    if (!full.delivery_id) return set({ attempts: [full] });
    const { items } = await api.list(state.inbox, { delivery_id: full.delivery_id, path: full.path, method: full.method, view: "summary" });
    if (state.selected === number) set({ attempts: items });
  } catch (problem) {
    if (state.selected === number && problem.status === 404) set({ full: { gone: true, number } });
    else toast(problem.message, true);
  }
}
