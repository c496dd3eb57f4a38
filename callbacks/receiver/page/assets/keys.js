// The keyboard.

import { copyCurl, showTab } from "./detail.js";
import { dialog } from "./dialog.js";
import { h } from "./dom.js";
import { step } from "./list.js";
import { pause } from "./live.js";
import { openReplay } from "./replay.js";
import { openScript } from "./script.js";
import { confirmClear, openNew, openSettings } from "./settings.js";
import { set, state } from "./state.js";

const shown = () => state.full && !state.full.gone;
const own = () => state.inbox !== "unmatched";

const keys = [
  ["j", "↓", "Older", () => step(1)],
  ["k", "↑", "Newer", () => step(-1)],
  ["f", "", "Follow the newest", () => set({ follow: true })],
  ["/", "", "Search", () => document.getElementById("search").focus()],
  ["1", "–5", "Body, headers, raw, answer, passed on", null],
  ["r", "", "Replay", () => shown() && openReplay(state.full)],
  ["c", "", "Copy as curl", copyCurl],
  ["s", "", "Script", () => own() && openScript()],
  ["e", "", "Settings", () => own() && openSettings()],
  ["i", "", "Switch the inbox", () => { const s = document.getElementById("inboxes"); s.focus(); s.showPicker?.(); }],
  ["n", "", "New inbox", openNew],
  ["p", "", "Pause, go on", pause],
  ["x", "", "Clear", confirmClear],
  ["?", "", "Keys", openHelp],
];

export function openHelp() {
  dialog("Keys", () => h("dl.keys", {}, keys.map(([key, other, text]) => [h("dt", {}, h("kbd", {}, key), other ? h("kbd", {}, other) : ""), h("dd", {}, text)])));
}

export function mountKeys() {
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    const typing = e.target.matches("input, textarea, select");
    if (e.key === "Escape") return escape(typing, e.target);
    if (typing) return;
    const name = { ArrowDown: "j", ArrowUp: "k" }[e.key] ?? e.key;
    if (/^[1-5]$/.test(name)) return showTab(Number(name) - 1);
    const act = keys.find(([key]) => key === name)?.[3];
    if (!act || (e.key.startsWith("Arrow") && e.target.closest("#detail"))) return;
    e.preventDefault();
    act();
  });
}

/** escape leaves a field, else the request. */
function escape(typing, target) {
  if (typing) return target.blur();
  set({ selected: null, full: null, follow: false });
}
