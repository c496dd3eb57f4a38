// What the page shows, and who draws it.

export const state = {
  inboxes: [], // as listed, the one used last first
  inbox: "default",
  server: "", // URL of the Pet Store, "" if it is not known
  info: null, // the inbox, with its settings
  text: "", // searched for
  verdict: "", // "", ok, not_ok or a code
  requests: new Map(), // summaries by number, oldest first: the newest `most` of those that match
  most: 500, // grows when older ones are asked for
  older: false, // there may be more than these
  loaded: false,
  live: "connecting", // live, lost, paused
  selected: null, // a number
  follow: true, // the newest is shown as it comes
  full: null, // the selected request with headers and body, null while it loads
  attempts: [], // all of its delivery, oldest first
  tab: "body",
};

/** pageSize is how many requests are loaded at once. Of one inbox the receiver keeps 1000. */
export const pageSize = 500;

const drawers = [];
let changed = new Set();

/** draw calls a function before the next frame after any of these keys has changed. */
export function draw(keys, drawer) {
  drawers.push({ keys, drawer });
}

/** set changes some of the state. */
export function set(patch) {
  Object.assign(state, patch);
  if (!changed.size) requestAnimationFrame(drawAll);
  for (const key of Object.keys(patch)) changed.add(key);
}

function drawAll() {
  const now = changed;
  changed = new Set();
  for (const { keys, drawer } of drawers) {
    if (keys.some((key) => now.has(key))) drawer();
  }
}

/** groups folds the attempts of a delivery to one path into one, the latest arrival first. */
export function groups() {
  const folded = new Map();
  for (const r of [...state.requests.values()].sort((a, b) => b.number - a.number)) {
    const key = r.delivery_id ? r.method + " " + r.path + "\n" + r.delivery_id : "#" + r.number;
    const group = folded.get(key);
    if (group) group.requests.push(r);
    else folded.set(key, { key, latest: r, requests: [r] });
  }
  return [...folded.values()];
}

/** query is the filter as the API wants it. */
export function query() {
  const q = {};
  if (state.text) q.text = state.text;
  if (state.verdict) q.verdict = state.verdict;
  return q;
}
