// Building elements. Text is always text: what others send never becomes markup.

export const $ = (selector) => document.querySelector(selector);

/** h makes an element: h("a.link", { href, onclick }, "text", [children]). */
export const h = (name, props, ...children) => build((tag) => document.createElement(tag), name, props, children);

/** s is h for SVG. */
export const s = (name, props, ...children) => build((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag), name, props, children);

function build(make, name, props, children) {
  const [tag, ...classes] = name.split(".");
  const element = make(tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** soon returns a function that runs f a little later, once, however often it is called until then. */
export function soon(f, ms = 40) {
  let timer;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      f();
    }, ms);
  };
}
