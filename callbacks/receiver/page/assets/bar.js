// The bar at the top: which inbox, its URL, and what can be done with it.

import * as api from "./api.js";
import { copyButton, fill, h, icon } from "./dom.js";
import { openHelp } from "./keys.js";
import { open } from "./live.js";
import { openScript } from "./script.js";
import { confirmClear, openNew, openSettings } from "./settings.js";
import { draw, query, state } from "./state.js";

export function mountBar() {
  draw(["inboxes", "inbox", "info"], () => fill(document.getElementById("inbox"), inbox()));
  draw(["info", "inbox", "text", "verdict"], () => fill(document.getElementById("actions"), actions()));
}

function inbox() {
  const names = [...new Set(["default", ...state.inboxes.map((i) => i.name), state.inbox, "unmatched"])];
  const label = (name) => {
    const n = state.inboxes.find((i) => i.name === name)?.requests ?? 0;
    return name + (n ? ` (${n.toLocaleString()})` : "");
  };
  const select = h("select", { id: "inboxes", "aria-label": "Inbox", title: "Inbox (i)", onchange: (e) => open(e.target.value) },
    names.map((name) => h("option", { value: name, selected: name === state.inbox }, label(name))));
  const url = state.info ? state.info.url : state.inbox === "unmatched" ? "" : location.origin + "/in/" + state.inbox;
  return [
    h("div.select", {}, select, icon("down")),
    h("button.quiet", { type: "button", title: "New inbox (n)", "aria-label": "New inbox", onclick: openNew }, icon("plus")),
    url ? h("div.url", {}, h("code", { title: url }, url), copyButton("", "URL", () => url)) : "",
  ];
}

function actions() {
  const own = state.inbox !== "unmatched";
  const steps = state.info?.script?.length ?? 0;
  return [
    own && h("button", { type: "button", id: "script-button", title: "Script (s)", onclick: openScript }, icon("script"), h("span", {}, "Script"), steps ? h("span.n", {}, steps) : ""),
    own && h("button", { type: "button", title: "Settings (e)", onclick: openSettings }, icon("settings"), h("span", {}, "Settings")),
    h("a.button", { href: api.harHref(state.inbox, query()), download: state.inbox + ".har", title: "All that is listed, as HAR 1.2" }, icon("download"), h("span", {}, "HAR")),
    h("button", { type: "button", title: "Clear (x)", onclick: confirmClear }, icon("trash"), h("span", {}, "Clear")),
    h("button.quiet", { type: "button", title: "Keys (?)", "aria-label": "Keys", onclick: openHelp }, icon("help")),
  ];
}
