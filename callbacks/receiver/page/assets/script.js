// The script editor: what happens to the requests of an inbox, from now on.

import * as api from "./api.js";
import { h, toast } from "./dom.js";
import { dialog, form } from "./dialog.js";
import { refresh } from "./live.js";
import { state } from "./state.js";
import { describe, presets } from "./steps.js";

/** write is one step a line. */
const write = (steps) => (steps.length ? "[\n" + steps.map((s) => "  " + JSON.stringify(s)).join(",\n") + "\n]" : "[]");

export function openScript() {
  const inbox = state.inbox;
  const text = h("textarea.code", { id: "script", rows: 8, spellcheck: "false", "aria-label": "Script", "aria-describedby": "says", value: write(state.info?.script ?? []) });
  const says = h("ol.says", { id: "says" });
  const show = () => says.replaceChildren(...sentences(text.value));
  text.addEventListener("input", show);
  const add = (step) => {
    const { steps } = read(text.value);
    if (!steps) return;
    // What is for all can only be the last.
    const ever = (s) => !s.times && !s.probability;
    const at = steps.length && ever(steps.at(-1)) ? steps.length - 1 : steps.length;
    text.value = write(ever(step) ? [...steps.slice(0, at), step] : steps.toSpliced(at, 0, step));
    show();
  };
  const save = async (steps, close) => {
    await api.patch(inbox, { script: steps });
    refresh();
    close();
    toast(steps.length ? "The script has begun" : "All is answered 200 OK");
  };
  show();
  dialog("Script of " + inbox, (close) => [
    h("p.about", {}, "Each request meets the first step that is not used up. Without any, it is answered 200 OK."),
    h("div.presets", { role: "group", "aria-label": "Add a step" }, presets.map(([name, step]) => h("button.chip", { type: "button", title: describe(step), onclick: () => add(step) }, name))),
    form([text, says], "Run", async () => {
      const { steps, error } = read(text.value);
      if (error) throw new Error(error);
      await save(steps, close);
    }, h("button", { type: "button", onclick: () => save([], close) }, "No faults")),
  ], "drawer");
}

function read(text) {
  try {
    const steps = JSON.parse(text.trim() || "[]");
    return Array.isArray(steps) ? { steps } : { error: "The script is a list of steps, in brackets." };
  } catch (error) {
    return { error: "This is not JSON: " + error.message };
  }
}

function sentences(text) {
  const { steps, error } = read(text);
  if (error) return [h("li.wrong", {}, error)];
  const all = steps.map((s) => h("li", {}, describe(s)));
  const last = steps.at(-1);
  if (!last || last.times || last.probability) all.push(h("li.rest", {}, (steps.length ? "All others" : "All requests") + ": 200 OK."));
  return all;
}
