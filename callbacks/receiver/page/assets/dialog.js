// Dialogs: one at a time, closed by Escape, by a click beside it, and by its button.

import { h, icon } from "./dom.js";

/** dialog opens one. Its content is made by content(close). */
export function dialog(title, content, kind = "") {
  document.querySelector("dialog[open]")?.close();
  const close = () => box.close();
  const box = h(kind ? "dialog." + kind : "dialog", { "aria-label": title });
  box.append(h("header", {}, h("h2", {}, title), h("button.quiet", { type: "button", "aria-label": "Close", onclick: close }, icon("cross"))), h("div.content", {}, content(close)));
  box.addEventListener("close", () => box.remove());
  let pressedBeside = false;
  box.addEventListener("pointerdown", (e) => { pressedBeside = e.target === box; });
  box.addEventListener("click", (e) => { if (e.target === box && pressedBeside) close(); });
  document.body.append(box);
  box.showModal();
  (box.querySelector(".content :is(input, textarea, select):not([disabled], [type=checkbox])") ?? box.querySelector("[type=submit]"))?.focus();
  return box;
}

/** form is one whose submission does something that may be refused; the problem is then shown in it. */
export function form(fields, label, submit, ...more) {
  const problem = h("p.problem", { role: "alert" });
  const button = h("button.primary", { type: "submit" }, label);
  return h("form", {
    onsubmit: async (e) => {
      e.preventDefault();
      problem.textContent = "";
      button.disabled = true;
      try {
        await submit();
      } catch (error) {
        problem.textContent = error.text?.() ?? error.message;
      }
      button.disabled = false;
    },
  }, fields, problem, h("div.buttons", {}, button, more));
}

/** field is a control with its label and a hint. */
export function field(label, control, hint = "") {
  control.id ||= "f-" + label.toLowerCase().replaceAll(/\W+/g, "-");
  return h("div.field", {}, h("label", { for: control.id }, label), control, hint ? h("p.about", {}, hint) : "");
}
