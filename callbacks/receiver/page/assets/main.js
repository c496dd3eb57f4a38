// The page of the receiver: a live list, and one request. It has no build step and no dependency.

import { mountBar } from "./bar.js";
import { mountDetail } from "./detail.js";
import { mountKeys } from "./keys.js";
import { mountList } from "./list.js";
import { open } from "./live.js";
import { draw, set, state } from "./state.js";

/** place is the inbox and the request in the page's address: #shop/17. */
function place() {
  const [inbox, number] = location.hash.slice(1).split("/").map(decodeURIComponent);
  return { inbox: inbox || "default", number: Number(number) || null };
}

let shown = location.hash; // as it is drawn

mountBar();
mountList();
mountDetail();
mountKeys();

draw(["inbox", "selected", "follow"], () => {
  const at = "#" + encodeURIComponent(state.inbox) + (state.selected && !state.follow ? "/" + state.selected : "");
  if (location.hash === shown && shown !== at) {
    history.replaceState(null, "", at);
    shown = location.hash;
  } // else somebody has gone elsewhere, which hashchange is about to say
  document.title = (state.inbox === "default" ? "" : state.inbox + " · ") + "Receiver";
});

addEventListener("hashchange", () => {
  shown = location.hash;
  const { inbox, number } = place();
  if (inbox !== state.inbox || number !== state.selected) open(inbox, number);
});

const { inbox, number } = place();
set({ inbox: "" });
open(inbox, number);
