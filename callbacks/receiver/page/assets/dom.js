// Building elements. Text is always text: what senders send never becomes markup.

/** h makes an element: h("a.link", {href, onclick}, "text", child, [children]). */
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** fill gives an element other children. Those that look the same stay: who is just clicking on one would miss it otherwise. */
export function fill(element, ...children) {
  const next = children.flat(Infinity).filter(Boolean);
  next.forEach((child, i) => {
    const before = element.childNodes[i];
    if (!before) element.append(child);
    else if (!before.isEqualNode(child)) before.replaceWith(child);
  });
  while (element.childNodes.length > next.length) element.lastChild.remove();
}

/** icon draws one of a few pictures, each a path in a square of 24. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[name]);
  svg.append(path);
  return svg;
}

const icons = {
  copy: "M9 9h10v10H9zM5 15V5h10",
  check: "M5 12.5 10 17 19 7",
  cross: "M6 6l12 12M18 6 6 18",
  dash: "M6 12h12",
  down: "M6 9l6 6 6-6",
  back: "M15 5l-7 7 7 7",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 20 20",
  replay: "M5 5v5h5M5.5 10a7.5 7.5 0 1 1-1 5",
  script: "M5 6h14M5 12h9M5 18h6M17 14v6M14 17h6",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M14 4v6M6 14v6",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
  plus: "M12 5v14M5 12h14",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.3-1 .8-1 1.7M12 17v.1",
  pause: "M9 6v12M15 6v12",
  play: "M8 5l11 7-11 7z",
};

/** toast tells something for a few seconds. */
export function toast(text, bad = false) {
  const box = document.getElementById("toasts");
  const note = h(bad ? "p.toast.bad" : "p.toast", {}, text);
  box.append(note);
  while (box.children.length > 3) box.firstChild.remove();
  setTimeout(() => note.remove(), bad ? 8000 : 2500);
}

/** copy puts text on the clipboard, also where the page's origin is no secure context. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea.aside", { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return toast("The browser did not let us copy.", true);
  }
  toast(what + " copied");
}

/** copyButton copies what text() gives, now or later. */
export function copyButton(label, what, text) {
  return h("button.quiet", { type: "button", title: "Copy " + what, onclick: async (e) => { e.stopPropagation(); copy(await text(), what); } },
    icon("copy"), label ? h("span", {}, label) : "");
}
