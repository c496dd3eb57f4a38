import { open } from "./live.js";
import { set, state } from "./state.js";

/** filterBy shows requests with one verdict only. */
export function filterBy(verdict) {
  set({ verdict });
  open(state.inbox);
}
