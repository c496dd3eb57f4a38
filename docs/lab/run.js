// One experiment: asks, hears in the ways that were chosen, and watches the server call back.

import { otherSecret } from "./ask.js";
import { drawDeliveries } from "./deliveries.js";
import { Journal, client, server } from "./journal.js";
import { names, ways } from "./ways.js";

const bytesOf = (text) => new TextEncoder().encode(text ?? "").length;

// wordsOf says it to people. What fetch throws when there is no answer, or no end of it, is a TypeError.
const wordsOf = (error) => (error instanceof TypeError ? "The server can't be reached, or the connection to it broke." : error.message);

/** Run is one experiment. `changed` is called when there is something new to see. */
export class Run {
  constructor({ base, choice, kind }, changed) {
    Object.assign(this, { base, choice, kind, changed, state: "running", problem: "", skew: 0, count: 0 });
    this.journal = new Journal(changed);
    this.control = new AbortController();
    this.signal = this.control.signal;
    this.known = new Map(); // by way: when it was known, and when it was done
    for (const way of choice.ways) this.known.set(way, {});
    window.addEventListener("pagehide", this.stop, { signal: this.signal }); // a page kept for the back button would keep its connections
  }

  async start() {
    const others = this.choice.ways.filter((way) => way !== "blocking");
    const blocking = others.length < this.choice.ways.length;
    const overSocket = others.length === 1 && !blocking && (others[0] === "socketio" || others[0] === "websocket");
    try {
      if (this.choice.fault.inbox && others.includes("callback")) await this.setUp();
      const asked = [];
      if (blocking) asked.push(others.length === 0 ? this.block(true) : this.block(false).catch(this.complainOf("blocking")));
      if (overSocket) asked.push(ways[others[0]](this));
      else if (others.length > 0) asked.push(this.ask().then(() => Promise.all(others.map((way) => ways[way]?.(this).catch(this.complainOf(way))))));
      await Promise.all(asked);
      await this.callbacksEnd();
      this.end("done");
    } catch (error) {
      this.fail(error);
    }
  }

  stop = () => this.end("stopped");

  end(state) {
    if (this.state !== "running") return;
    this.state = state;
    this.control.abort();
    this.stopWatching?.();
    for (const entry of this.journal.entries.values()) if (entry.open || !entry.end) Object.assign(entry, { open: false });
    this.changed();
  }

  fail(error) {
    if (this.state !== "running") return;
    this.problem = wordsOf(error);
    this.end("failed");
  }

  // complainOf notes what is wrong with one way; the others go on.
  complainOf = (way) => (error) => {
    if (this.state !== "running") return;
    this.problem = [this.problem, `${names[way]}: ${wordsOf(error)}`].filter(Boolean).join(" ");
    this.changed();
  };

  // setUp gives the receiver an inbox with another secret.
  async setUp() {
    const answer = await fetch(new URL(`receiver/inboxes/${otherSecret.inbox}`, this.base), {
      method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(otherSecret.settings), signal: this.signal,
    });
    if (!answer.ok) throw new Error(`The receiver could not be given another secret: it answered ${answer.status}.`);
  }

  // ask is the request that is answered at once.
  async ask() {
    const { answer, text } = await this.post("ask", this.choice.body, {});
    this.follow(JSON.parse(text).task_id);
    if (answer.status === 201) this.heard("blocking");
  }

  // block asks once more, and waits for the result in the same request.
  async block(alone) {
    const { callback_url: _, ...body } = this.choice.body;
    const { answer, text } = await this.post("blocking", body, { Prefer: "wait=60" });
    const resource = JSON.parse(text);
    if (answer.status === 201) this.heard("blocking", Date.parse(resource.updated_at));
    if (alone) this.follow(resource.task_id);
  }

  async post(way, body, headers) {
    const asked = await this.fetch({ way, method: "POST", path: this.kind.path, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body), sender: this.choice.kind });
    if (asked.answer.ok) return asked;
    const problem = JSON.parse(asked.text);
    throw new Error(problem.errors?.length > 1 ? problem.errors.map((e) => `${e.field} ${e.message}.`).join(" ") : problem.detail ?? problem.title); // which names the field, if it is one
  }

  /** follow watches what the server does for a task: its updates, and the attempts to deliver them. */
  follow(task) {
    if (!task || this.task || this.state !== "running") return;
    this.task = task;
    const { fault } = this.choice;
    const inbox = fault.inbox ?? "default";
    const settings = {
      ...CallbacksPlugin.defaults, receiver: this.choice.receiver ? "receiver/" : null,
      arrivals: (id) => `inboxes/${inbox}/requests?body.task_id=${id}`,
    };
    this.trace = new CallbacksPlugin.Trace(settings, this.base, task);
    this.trace.subscribe(() => {
      drawDeliveries(this);
      this.changed();
    });
    this.stopWatching = this.trace.start();
  }

  /** callbacksEnd waits until the work is over, and its last callback is delivered or given up. */
  async callbacksEnd() {
    if (!this.trace) return;
    const called = this.choice.ways.includes("callback");
    const last = () => [...this.trace.updates.values()].find(CallbacksPlugin.ended);
    const delivery = () => last() && [...this.trace.deliveries.values()].find((d) => d.callback_id === last().callback_id && !d.webhook_id);
    const over = () => last() && (!called || (delivery() && delivery().status !== "pending"));
    await this.until(over);
    if (!called || !this.choice.fault.twice || delivery().status !== "delivered") return;
    const before = delivery().tries.length;
    await this.fetch({ way: "again", method: "POST", path: `api/callbacks/${delivery().delivery_id}/redeliver`, sender: "redelivery" });
    this.trace.lookAgain();
    await this.until(() => delivery().tries.length > before && delivery().status !== "pending");
  }

  until(holds) {
    return new Promise((resolve, reject) => {
      const look = () => holds() && (unsubscribe(), resolve());
      const unsubscribe = this.trace.subscribe(look);
      this.signal.addEventListener("abort", () => reject(this.signal.reason));
      look();
    });
  }

  /** heard notes that a way has told the end. */
  heard(way, done) {
    const known = this.known.get(way);
    if (known && !known.at) Object.assign(known, { at: Date.now(), done: done && done - this.skew });
    this.changed();
  }

  /** done is when the work was, by the clock of this page; undefined as long as it isn't known. */
  done(way) {
    if (way === "blocking" && this.known.get(way).done) return this.known.get(way).done;
    const last = [...(this.trace?.updates.values() ?? [])].find(CallbacksPlugin.ended);
    return last && Date.parse(last.timestamp) - this.skew;
  }

  /** fetch is an exchange with its answer's text. */
  async fetch(asked) {
    const { answer, id } = await this.open(asked);
    const text = await answer.text();
    this.synchronise(this.journal.entries.get(id), text);
    this.answered(id, answer, text);
    return { answer, text };
  }

  /** open is an exchange whose answer goes on. */
  async open({ way, method = "GET", path, headers = {}, body, sender }) {
    const id = `${way} ${this.count++}`;
    this.journal.put(id, {
      kind: "exchange", way, from: client, to: server, at: Date.now(), title: `${method} ${shorten(this.pathOf(path))}`, sender, bytes: bytesOf(body), sent: true,
      request: { line: `${method} ${this.pathOf(path)}`, headers: Object.entries(headers), body },
    });
    const answer = await fetch(new URL(path, this.base), { method, headers, body, signal: this.signal }).catch((error) => {
      this.journal.put(id, { end: Date.now(), tone: "bad", answer: { line: this.signal.aborted ? "given up" : "no answer" } });
      throw error;
    });
    if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      this.answered(id, answer, "");
      this.journal.put(id, { open: true });
    }
    return { answer, id, close: () => this.journal.put(id, { open: false, closed: Date.now() }) };
  }

  /** pathOf is a path as the server, or a proxy before it, is asked for it. */
  pathOf(path) {
    const { pathname, search } = new URL(path, this.base);
    return pathname + search;
  }

  answered(id, answer, text) {
    const entry = this.journal.entries.get(id);
    if (!entry) return;
    this.journal.put(id, {
      end: Date.now(), tone: answer.ok ? undefined : "bad", bytes: entry.bytes + bytesOf(text),
      answer: { line: `${answer.status} ${answer.statusText}`, headers: [...answer.headers], body: text },
    });
  }

  // synchronise finds out how far the server's clock is off: what it made for a request, it made between that and its answer.
  synchronise(entry, text) {
    if (entry?.way !== "ask" && entry?.way !== "blocking") return;
    const made = Date.parse(/"created_at":"([^"]+)"/.exec(text)?.[1]);
    if (made < entry.at - 1) this.skew = made - entry.at;
    else if (made > Date.now() + 1) this.skew = made - Date.now();
  }

  /** message is one way, on a connection that is open. */
  message({ way, from, to, title, body, raw, sender, tone }) {
    const terminal = /^complete|completed$/.test(title);
    this.journal.put(`${way} ${this.count++}`, { kind: "message", way, from, to, at: Date.now(), title, sender, tone: tone ?? (terminal ? "good" : undefined), bytes: bytesOf(raw), request: { line: raw, body } });
  }

  pause(ms) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      this.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(this.signal.reason);
      });
    });
  }
}

/** shorten leaves out ids, which are long. */
const shorten = (path) => path.replace(/(task|dlv)_\w{20,}/, "…");
