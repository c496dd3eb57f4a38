// The receiver's HTTP API, as `go doc petstore/callbacks/receiver` has it. URLs are relative: the page may be
// served below a prefix.

const base = new URL(".", document.baseURI);

export const url = (path) => new URL(path, base).href;

/** Problem is an answer that says what is wrong (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || "The receiver answered " + status + ".");
    this.errors = body.errors ?? [];
    this.status = status;
  }

  /** text has the fields that are wrong, too. */
  text() {
    return this.errors.length ? this.errors.map((e) => `${e.field} ${e.message}`).join("\n") : this.message;
  }
}

async function call(method, path, body) {
  const init = { method, headers: {} };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url(path), init);
  } catch {
    throw new Problem(0, { detail: "The receiver does not answer. Is it running?" });
  }
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

const json = async (...args) => (await call(...args)).json();
const name = encodeURIComponent;

export const inboxes = () => json("GET", "inboxes");
export const inbox = (box) => json("GET", `inboxes/${name(box)}`);
export const put = (box, settings) => json("PUT", `inboxes/${name(box)}`, settings);
export const patch = (box, settings) => json("PATCH", `inboxes/${name(box)}`, settings);
export const remove = (box) => call("DELETE", `inboxes/${name(box)}`);
export const clear = (box) => call("DELETE", `inboxes/${name(box)}/requests`);
export const list = (box, query) => json("GET", `inboxes/${name(box)}/requests?${new URLSearchParams(query)}`);
export const request = (box, number) => json("GET", `inboxes/${name(box)}/requests/${number}`);
export const text = async (box, number, form) => (await call("GET", `inboxes/${name(box)}/requests/${number}/${form}`)).text();
export const replay = (box, number, to) => json("POST", `inboxes/${name(box)}/requests/${number}/replay`, to);
export const href = (box, number, form) => url(`inboxes/${name(box)}/requests/${number}/${form}`);
export const harHref = (box, query) => url(`inboxes/${name(box)}/requests.har?${new URLSearchParams(query)}`);
export const streamHref = (box, query) => url(`inboxes/${name(box)}/stream?${new URLSearchParams(query)}`);
