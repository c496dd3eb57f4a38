/*
 * A plugin for Swagger UI 5 that shows what becomes of an operation's callbacks, as it happens.
 *
 *   SwaggerUIBundle({ …, plugins: [CallbacksPlugin({ receiver: "receiver/" })] });
 *
 * On every operation with `callbacks` a person chooses what the receiver does when it is called back, and finds beneath the
 * answer each update, each delivery with its attempts, and what the receiver got. README.md, beside this file, has the
 * settings and what is asked of the API. One file, no build step, no dependency.
 */
const CallbacksPlugin = (() => {
  "use strict";

  let React, h; // Swagger UI's own, set when the plugin is loaded

  // What the sample receiver can be asked for, in the query of the callback URL.
  const faults = [
    { name: "answers", query: {}, text: "Every callback is answered 200 at once." },
    { name: "fails twice", query: { fail: "2" }, text: "The first two attempts of each callback are answered 500." },
    { name: "is busy", query: { fail: "1", status: "503", retry_after: "2" }, text: "The first attempt of each callback is answered 503 with Retry-After: 2." },
    { name: "is slow", query: { delay: "3s" }, text: "Every callback is answered 200 after three seconds." },
    { name: "drops", query: { fail: "1", drop: "1" }, text: "The connection of each callback's first attempt is reset." },
    { name: "never answers", query: { delay: "60s" }, text: "Every attempt runs into the sender's timeout." },
  ];

  const defaults = {
    faults,
    // The id of the task that an answer speaks of, undefined if it speaks of none.
    task: (body) => body.task_id,
    // Server-sent events with the task's updates, beginning with its first, and their name.
    updates: (task) => `api/tasks/stream?task_id=${task}`,
    event: "task-update",
    // The deliveries of a task, one of them with its attempts, and what sends it again.
    deliveries: (task) => `api/callbacks?limit=100&task_id=${task}`,
    delivery: (id) => `api/callbacks/${id}`,
    redeliver: (id) => `api/callbacks/${id}/redeliver`,
    // Where the sample receiver's API is, relative to the API's URL; null if there is none to ask.
    receiver: null,
    arrivals: (task) => `inboxes/default/requests?body.task_id=${task}`,
  };

  // ---- The choice: what the receiver does

  // The member of the request's body that says where to call back: that of the callback's runtime expression
  // (OpenAPI 3.1, section 4.8.20.4), such as {$request.body#/callback_url}.
  function callbackField(operation) {
    for (const expressions of operation.get("callbacks")?.values() ?? []) {
      for (const expression of expressions.keys()) {
        const found = /^\{\$request\.body#\/([^/}]+)\}$/.exec(expression);
        if (found) return found[1];
      }
    }
  }

  // A body is the text of JSON, or a Map of the fields of a form.
  function readField(body, field) {
    if (body?.getIn) return body.getIn([field, "value"]);
    try {
      return JSON.parse(body)[field];
    } catch {
      return undefined;
    }
  }

  function writeField(body, field, value) {
    if (body?.set) return body.set(field, value);
    return JSON.stringify({ ...JSON.parse(body), [field]: value }, null, 2);
  }

  function writable(body) {
    try {
      return Boolean(body?.set) || typeof JSON.parse(body) === "object";
    } catch {
      return false;
    }
  }

  // The URL that the contract gives as an example, for a body without one.
  function exampleURL(operation, field) {
    for (const media of operation.getIn(["requestBody", "content"])?.values() ?? []) {
      const schema = media.getIn(["schema", "properties", field]);
      const example = schema?.get("example") ?? schema?.getIn(["examples", 0]);
      if (example) return example;
    }
  }

  function withFault(url, fault, all) {
    const changed = new URL(url);
    for (const other of all) for (const name of Object.keys(other.query)) changed.searchParams.delete(name);
    for (const [name, value] of Object.entries(fault.query)) changed.searchParams.set(name, value);
    return changed.href;
  }

  function faultOf(url, all) {
    return URL.canParse(url) ? all.find((fault) => withFault(url, fault, all) === new URL(url).href) : undefined;
  }

  function Choice({ settings, operation, pathMethod, oas3Selectors, oas3Actions }) {
    const field = callbackField(operation);
    if (!field) return null;
    const body = oas3Selectors.requestBodyValue(...pathMethod);
    const given = readField(body, field);
    const url = URL.canParse(given) ? given : exampleURL(operation, field);
    const chosen = given ? faultOf(given, settings.faults) : undefined;
    const choose = (fault) =>
      oas3Actions.setRequestBodyValue({ pathMethod, value: writeField(body, field, withFault(url, fault, settings.faults)) });
    const option = (fault) =>
      h("label", { key: fault.name, className: fault === chosen ? "cb-option cb-chosen" : "cb-option" },
        h("input", { type: "radio", name: pathMethod.join(" "), checked: fault === chosen, onChange: () => choose(fault) }),
        fault.name);
    let hint = chosen?.text ?? "The URL asks for something else.";
    if (!writable(body)) hint = "The body is not JSON.";
    else if (!given) hint = `Without ${field} nobody is called back.`;
    return h("fieldset", { className: "cb-choice", disabled: !url || !writable(body) },
      h("legend", null, "When it is called back, the receiver…"),
      h("div", { className: "cb-options" }, settings.faults.map(option)),
      h("p", null, hint, " ", given && chosen ? h("code", null, new URL(given).search) : null));
  }

  // ---- The trace: what is known of a task, from the API and from the receiver

  const polling = { least: 250, most: 5000 }; // milliseconds

  class Trace {
    constructor(settings, base, task) {
      Object.assign(this, { settings, task, base });
      this.receiver = settings.receiver && new URL(settings.receiver, base);
      this.updates = new Map(); // by sequence
      this.deliveries = new Map(); // by id
      this.arrivals = []; // requests that the receiver got
      this.error = "";
      this.version = 0;
      this.listeners = new Set();
    }

    subscribe = (listener) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };

    changed() {
      this.version++;
      for (const listener of this.listeners) listener();
    }

    // start returns what stops it. Leaving the page does, too: a page kept for the back button would keep its connections.
    start = () => {
      const control = new AbortController();
      const source = new EventSource(new URL(this.settings.updates(this.task), this.base));
      source.addEventListener(this.settings.event, (event) => {
        const update = JSON.parse(event.data);
        this.updates.set(update.sequence, update);
        if (ended(update)) source.close();
        this.changed();
        this.lookAgain();
      });
      const stop = () => {
        source.close();
        control.abort();
        this.lookAgain();
        window.removeEventListener("pagehide", stop);
      };
      window.addEventListener("pagehide", stop);
      this.watch(control.signal);
      return stop;
    };

    async watch(signal) {
      while (!signal.aborted) {
        this.again = false;
        try {
          await this.look(signal);
          this.error = "";
        } catch (error) {
          if (signal.aborted) return;
          this.error = error instanceof TypeError ? "The server can't be reached. It is asked again every few seconds." : error.message; // as fetch has it
        }
        this.changed();
        await this.pause();
      }
    }

    // look asks for all deliveries, and for the attempts of those that have changed.
    async look(signal) {
      const { settings } = this;
      const listed = (await this.get(settings.deliveries(this.task), signal)).items;
      await Promise.all(listed.map(async (now) => {
        const known = this.deliveries.get(now.delivery_id)?.listed;
        if (JSON.stringify(known) === JSON.stringify(now)) return;
        const { delivery, body, attempts } = await this.get(settings.delivery(now.delivery_id), signal);
        this.deliveries.set(now.delivery_id, { ...delivery, body, tries: attempts, listed: now });
        if (!this.updates.has(body.sequence)) this.updates.set(body.sequence, body);
      }));
      if (this.receiver) await this.ask(signal);
    }

    async ask(signal) {
      const answer = await fetch(new URL(this.settings.arrivals(this.task), this.receiver), { signal });
      if (answer.ok) this.arrivals = (await answer.json()).items;
      else this.receiver = null; // the server runs without one
    }

    async get(path, signal, method = "GET") {
      const answer = await fetch(new URL(path, this.base), { method, signal });
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.detail ?? answer.statusText);
      return body;
    }

    // lookAgain ends the pause, or the next one if there is none yet: something has been told.
    lookAgain() {
      this.again = true;
      this.wake?.();
    }

    // pause waits for the next retry that is due, or for lookAgain; when all is over, for that alone.
    pause() {
      return new Promise((resolve) => {
        if (this.again) return resolve();
        const timer = this.settled() ? undefined : setTimeout(resolve, this.untilNext());
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }

    settled() {
      return [...this.updates.values()].some(ended) && ![...this.deliveries.values()].some((d) => d.status === "pending");
    }

    untilNext() {
      const due = [...this.deliveries.values()]
        .filter((d) => d.status === "pending" && d.next_attempt_at)
        .map((d) => Date.parse(d.next_attempt_at) - Date.now() + 50);
      return Math.min(Math.max(Math.min(...due, polling.most), polling.least), polling.most);
    }

    async redeliver(id) {
      try {
        await this.get(this.settings.redeliver(id), undefined, "POST");
      } catch (error) {
        this.error = error.message;
        this.changed();
      }
      this.lookAgain();
    }

    // arrival is the attempt as the receiver got it. Both run by one clock, or nearly.
    arrival(delivery, attempt) {
      const begun = Date.parse(attempt.started_at) - 20;
      const over = begun + attempt.duration_ms + 40;
      return this.arrivals.find((a) => {
        const at = Date.parse(a.received_at);
        return a.delivery_id === delivery.callback_id && delivery.url.endsWith(a.target) && at >= begun && at <= over;
      });
    }
  }

  const ended = (update) => update.status !== "processing";

  // The API's URL, which the answer's is below: a server may be anywhere under any prefix.
  function baseOf(url, path) {
    const pattern = path.split(/\{[^}]*\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("[^/]+");
    const { origin, pathname } = new URL(url, location.href);
    const prefix = pathname.replace(new RegExp(pattern + "$"), "");
    return origin + prefix.replace(/\/*$/, "/");
  }

  // ---- The panel

  function Panel({ settings, base, task }) {
    const trace = React.useMemo(() => new Trace(settings, base, task), [base, task]);
    React.useEffect(() => trace.start(), [trace]);
    React.useSyncExternalStore(trace.subscribe, () => trace.version);
    const updates = [...trace.updates.values()].sort((a, b) => a.sequence - b.sequence);
    const last = updates.at(-1);
    return h("section", { className: "cb-panel", "aria-label": "Callbacks, live" },
      h("header", null,
        h("h4", null, "Callbacks, live"),
        h("span", { className: `cb-pill cb-${last?.status ?? "processing"}` }, last?.status ?? "processing"),
        h("progress", { max: 100, value: last?.progress ?? 0, "aria-label": "Progress of the task" }),
        h("span", { className: "cb-quiet" }, summary(updates, [...trace.deliveries.values()]))),
      trace.error && h("p", { className: "cb-error", role: "alert" }, trace.error),
      h("ol", { className: "cb-updates", "aria-label": "Updates" }, updates.map((update) => h(Update, { key: update.sequence, trace, update, first: updates[0] }))),
      h("p", { className: "cb-spoken", role: "status" }, spoken(updates, [...trace.deliveries.values()])));
  }

  function summary(updates, deliveries) {
    const attempts = deliveries.reduce((sum, d) => sum + d.tries.length, 0);
    return [count(updates.length, "update"), count(deliveries.length, "delivery", "deliveries"), count(attempts, "attempt")].join(", ");
  }

  const count = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

  // What a screen reader says: the news, not the countdown.
  function spoken(updates, deliveries) {
    const tries = deliveries.flatMap((d) => d.tries.map((a) => ({ ...a, type: d.type })));
    const latest = tries.sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at)).at(-1);
    const told = updates.at(-1)?.message ?? "";
    return latest ? `${told}. ${latest.type}, attempt ${latest.number}: ${latest.status_code ?? latest.error}` : told;
  }

  function Update({ trace, update, first }) {
    const deliveries = [...trace.deliveries.values()].filter((d) => d.callback_id === update.callback_id);
    return h("li", { className: `cb-update cb-${update.status}` },
      h("div", { className: "cb-line" },
        h("b", null, update.type),
        h("span", { className: "cb-message" }, update.message),
        h("span", { className: "cb-quiet" }, `${update.progress} %`),
        h("span", { className: "cb-quiet cb-time" }, since(first.timestamp, update.timestamp))),
      deliveries.map((delivery) => h(Delivery, { key: delivery.delivery_id, trace, delivery })));
  }

  const since = (start, time) => `+${((Date.parse(time) - Date.parse(start)) / 1000).toFixed(2)} s`;

  function Delivery({ trace, delivery }) {
    return h("div", { className: "cb-delivery" },
      h("div", { className: "cb-line" },
        h("code", { className: "cb-url" }, "POST ", delivery.url),
        h("span", { className: `cb-pill cb-${delivery.status}` }, delivery.status)),
      h("ol", { className: "cb-attempts", "aria-label": `Attempts of ${delivery.type}` },
        delivery.tries.map((attempt) => h(Attempt, { key: attempt.number, trace, delivery, attempt }))),
      delivery.status === "pending" && h(Waiting, { trace, delivery }),
      delivery.status === "superseded" && h("p", { className: "cb-quiet" }, "A newer update overtook it: it is not sent any more."),
      h("div", { className: "cb-buttons" },
        h("button", { type: "button", onClick: () => trace.redeliver(delivery.delivery_id), "aria-label": `Redeliver: ${delivery.type}` }, "Redeliver"),
        h(Copy, { label: delivery.type, text: () => curlOf(delivery, trace.arrival(delivery, delivery.tries.at(-1) ?? {})) })));
  }

  // Waiting says what a delivery waits for: its turn, its retry, or an answer.
  function Waiting({ trace, delivery }) {
    const earlier = [...trace.deliveries.values()].find((d) => d.status === "pending" && d.url === delivery.url && d.sequence < delivery.sequence);
    const [now, setNow] = React.useState(Date.now());
    React.useEffect(() => {
      const timer = setInterval(() => setNow(Date.now()), 100);
      return () => clearInterval(timer);
    }, []);
    if (earlier) return h("p", { className: "cb-waiting" }, `waits for its turn: ${earlier.type} comes first`);
    const next = delivery.tries.length + 1;
    const left = Date.parse(delivery.next_attempt_at) - now;
    if (!(left > 0)) return h("p", { className: "cb-waiting cb-under-way" }, `attempt ${next} is under way`);
    const last = delivery.tries.at(-1);
    const whole = last ? Date.parse(delivery.next_attempt_at) - Date.parse(last.started_at) - last.duration_ms : left;
    return h("p", { className: "cb-waiting cb-countdown" },
      h("span", null, `attempt ${next} in ${(left / 1000).toFixed(1)} s`),
      h("progress", { max: Math.max(whole, left), value: left, "aria-label": `Until attempt ${next}` }));
  }

  function Attempt({ trace, delivery, attempt }) {
    const ok = attempt.status_code >= 200 && attempt.status_code <= 299;
    const arrival = trace.arrival(delivery, attempt);
    return h("li", null,
      h("details", { className: ok ? "cb-attempt cb-good" : "cb-attempt cb-bad" },
        h("summary", null,
          h("span", { className: "cb-number" }, `#${attempt.number}`),
          h("b", null, attempt.status_code ?? "no answer"),
          h("span", { className: "cb-quiet" }, `${attempt.duration_ms.toFixed(1)} ms`),
          attempt.error && !attempt.status_code && h("span", null, attempt.error),
          verdicts(arrival).map((v) => h("span", { key: v.check, className: v.ok ? "cb-verdict cb-good" : "cb-verdict cb-bad", title: v.text }, `${v.ok ? "✓" : "✗"} ${v.code === "id_new" ? "new" : v.check}`))),
        arrival && verdicts(arrival).some((v) => !v.ok) && h("ul", null, verdicts(arrival).filter((v) => !v.ok).map((v) => h("li", { key: v.check }, v.text))),
        h(Message, { title: "The callback, as the receiver got it", headers: arrival?.headers, body: arrival?.body ?? delivery.body, missing: !arrival && "Only what was sent is known: the sample receiver has not got this attempt." }),
        attempt.status_code && h(Message, { title: "What was answered", headers: attempt.headers, body: attempt.body })));
  }

  // The receiver's verdicts, one a check: the first that is against the sender, if there is one.
  function verdicts(arrival) {
    const all = arrival?.verdicts ?? [];
    const checks = [...new Set(all.map((v) => v.check))];
    return checks.map((check) => all.find((v) => v.check === check && !v.ok) ?? all.find((v) => v.check === check));
  }

  function Message({ title, headers, body, missing }) {
    const lines = headerLines(headers).map(([name, value]) => `${name}: ${value}`).join("\n");
    const text = pretty(typeof body === "string" ? body : JSON.stringify(body));
    return h("figure", null, h("figcaption", null, title), missing && h("p", { className: "cb-quiet" }, missing),
      h("pre", { tabIndex: 0, "aria-label": title }, [lines, text].filter(Boolean).join("\n\n")));
  }

  function pretty(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  // Headers are [{name, value}], or an object of lists.
  function headerLines(headers) {
    if (Array.isArray(headers)) return headers.map(({ name, value }) => [name, value]);
    return Object.entries(headers ?? {}).flatMap(([name, values]) => [].concat(values).map((value) => [name, value]));
  }

  // ---- Copying

  function curlOf(delivery, arrival) {
    const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
    const skipped = /^(accept-encoding|connection|content-length|host|user-agent)$/i;
    const headers = headerLines(arrival?.headers ?? { "Content-Type": ["application/json"] }).filter(([name]) => !skipped.test(name));
    return [`curl -i ${quote(delivery.url)}`, ...headers.map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
      `--data-raw ${quote(arrival?.body ?? JSON.stringify(delivery.body))}`].join(" \\\n  ");
  }

  function Copy({ label, text }) {
    const [shown, setShown] = React.useState("");
    const [done, setDone] = React.useState(false);
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(text());
        setDone(true);
      } catch {
        setShown(text()); // a page that is not secure, or may not: to be copied by hand
      }
    };
    return h(React.Fragment, null,
      h("button", { type: "button", onClick: copy, "aria-label": `${done ? "Copied" : "Copy as curl"}: ${label}` }, done ? "Copied" : "Copy as curl"),
      shown && h("textarea", { readOnly: true, rows: 6, value: shown, "aria-label": `${label} as curl`, onFocus: (event) => event.target.select() }));
  }

  // ---- The plugin

  const plugin = (options = {}) => (system) => {
    React = system.React;
    h = React.createElement;
    const settings = { ...defaults, ...options };
    document.adoptedStyleSheets.push(look());
    return {
      wrapComponents: {
        parameters: (Original) => (props) =>
          h(React.Fragment, null, h(Original, props), props.tryItOutEnabled && props.allowTryItOut && h(Choice, { settings, ...props })),
        liveResponse: (Original) => (props) => {
          const { response, path, method, specSelectors } = props;
          const body = response.get("body");
          const task = response.get("ok") && body?.toJS ? settings.task(body.toJS()) : undefined;
          const has = specSelectors.specResolvedSubtree(["paths", path, method])?.has("callbacks");
          return h(React.Fragment, null, h(Original, props),
            task && has && h(Panel, { settings, base: baseOf(response.get("url"), path), task, key: task }));
        },
      },
    };
  };

  // What a page without Swagger UI can use, too.
  return Object.assign(plugin, { defaults, withFault, Trace, verdicts, headerLines, pretty, ended });

  function look() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      .cb-choice, .cb-panel {
        --cb-line: #d3dcdc; --cb-paper: #fff; --cb-raised: #f4f8f8; --cb-ink: #17302e; --cb-quiet: #50635f;
        --cb-good: #0b6b46; --cb-good-paper: #dff5ea; --cb-bad: #b3261e; --cb-bad-paper: #fdeae8; --cb-wait: #7a5200; --cb-wait-paper: #fdf1d6; --cb-accent: #0f766e;
        color: var(--cb-ink); font: 14px/1.5 system-ui, sans-serif; box-sizing: border-box;
      }
      @media (prefers-color-scheme: dark) {
        .cb-choice, .cb-panel {
          --cb-line: #36474a; --cb-paper: #172122; --cb-raised: #1f2c2e; --cb-ink: #e3eceb; --cb-quiet: #a3b5b2;
          --cb-good: #6ee7b0; --cb-good-paper: #10392a; --cb-bad: #ffa79f; --cb-bad-paper: #45191a; --cb-wait: #f7cd72; --cb-wait-paper: #3c2f10; --cb-accent: #5eead4;
        }
      }
      .swagger-ui .cb-choice { margin: 0 20px 16px; padding: 0; border: 0; min-width: 0; }
      .cb-choice:disabled { opacity: .6; }
      .cb-choice legend { padding: 0; font-weight: 700; margin-bottom: 6px; }
      .cb-choice p { margin: 6px 0 0; color: var(--cb-quiet); font-size: 13px; }
      .cb-choice code { font: 12px ui-monospace, monospace; color: var(--cb-accent); overflow-wrap: anywhere; }
      .cb-options { display: inline-flex; flex-wrap: wrap; gap: 4px; padding: 4px; border-radius: 10px; background: var(--cb-raised); border: 1px solid var(--cb-line); }
      .swagger-ui .cb-option { position: relative; display: block; margin: 0; padding: 5px 12px; border-radius: 7px; cursor: pointer; font: inherit; color: inherit; white-space: nowrap; }
      .cb-option input { position: absolute; opacity: 0; }
      .cb-option:hover { background: var(--cb-paper); }
      .swagger-ui .cb-option.cb-chosen { background: var(--cb-accent); color: var(--cb-paper); }
      .cb-option:focus-within { outline: 2px solid var(--cb-accent); outline-offset: 2px; }

      .cb-panel { margin: 16px 0 24px; border: 1px solid var(--cb-line); border-radius: 12px; background: var(--cb-paper); overflow: hidden; min-width: 0; }
      .cb-panel * { box-sizing: border-box; }
      .cb-panel header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; padding: 12px 16px; background: var(--cb-raised); border-bottom: 1px solid var(--cb-line); }
      .swagger-ui .cb-panel h4 { margin: 0; font: 700 15px/1.4 system-ui, sans-serif; color: var(--cb-ink); }
      .cb-panel progress { appearance: none; border: 0; height: 6px; width: 140px; border-radius: 3px; overflow: hidden; background: var(--cb-line); }
      .cb-panel progress::-webkit-progress-bar { background: var(--cb-line); }
      .cb-panel progress::-webkit-progress-value { background: var(--cb-accent); transition: width .3s; }
      .cb-panel progress::-moz-progress-bar { background: var(--cb-accent); }
      .cb-quiet { color: var(--cb-quiet); font-size: 13px; }
      .swagger-ui .cb-panel .cb-error { margin: 12px 16px; padding: 8px 12px; border-radius: 8px; color: var(--cb-bad); background: var(--cb-bad-paper); }
      .cb-pill { padding: 1px 10px; border-radius: 99px; font-size: 12px; font-weight: 600; background: var(--cb-raised); color: var(--cb-quiet); border: 1px solid var(--cb-line); }
      .cb-pill.cb-processing, .cb-pill.cb-pending { color: var(--cb-wait); background: var(--cb-wait-paper); border-color: transparent; }
      .cb-pill.cb-completed, .cb-pill.cb-delivered { color: var(--cb-good); background: var(--cb-good-paper); border-color: transparent; }
      .cb-pill.cb-failed, .cb-pill.cb-cancelled, .cb-pill.cb-exhausted, .cb-pill.cb-gone { color: var(--cb-bad); background: var(--cb-bad-paper); border-color: transparent; }

      .cb-updates, .cb-attempts { list-style: none; margin: 0; padding: 0; }
      .cb-updates { padding: 16px 16px 4px 34px; }
      .cb-update { position: relative; padding-bottom: 14px; }
      .cb-update::before { content: ""; position: absolute; left: -19px; top: 6px; width: 10px; height: 10px; border-radius: 50%; background: var(--cb-accent); }
      .cb-update.cb-failed::before, .cb-update.cb-cancelled::before { background: var(--cb-bad); }
      .cb-update.cb-completed::before { background: var(--cb-good); }
      .cb-update:not(:last-child)::after { content: ""; position: absolute; left: -15px; top: 20px; bottom: -2px; width: 2px; background: var(--cb-line); }
      .cb-line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; min-width: 0; }
      .cb-message { flex: 1 1 12em; overflow-wrap: anywhere; }
      .cb-time { font-variant-numeric: tabular-nums; }
      .cb-delivery { margin: 8px 0 0; padding: 10px 12px; border: 1px solid var(--cb-line); border-radius: 10px; background: var(--cb-raised); }
      .swagger-ui .cb-panel code.cb-url { flex: 1 1 12em; padding: 0; background: none; color: var(--cb-ink); font: 12px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
      .cb-attempts { margin-top: 8px; display: grid; gap: 4px; }
      .cb-attempt { border-radius: 7px; border-left: 4px solid; background: var(--cb-paper); }
      .cb-attempt.cb-good { border-color: var(--cb-good); } .cb-attempt.cb-bad { border-color: var(--cb-bad); }
      .cb-attempt > summary { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; padding: 5px 12px; cursor: pointer; border-radius: 7px; }
      .cb-attempt > summary::before { content: "▸"; color: var(--cb-quiet); } .cb-attempt[open] > summary::before { content: "▾"; }
      .cb-attempt.cb-good > summary b { color: var(--cb-good); } .cb-attempt.cb-bad > summary b { color: var(--cb-bad); }
      .cb-number { font-variant-numeric: tabular-nums; }
      .cb-verdict { padding: 0 8px; border-radius: 99px; font-size: 12px; }
      .cb-verdict.cb-good { color: var(--cb-good); background: var(--cb-good-paper); } .cb-verdict.cb-bad { color: var(--cb-bad); background: var(--cb-bad-paper); }
      .cb-panel figure { margin: 0; padding: 4px 12px 10px; } .cb-panel figcaption { font-weight: 600; font-size: 13px; }
      .swagger-ui .cb-panel pre, .cb-panel textarea { display: block; width: 100%; margin: 4px 0 0; padding: 10px; border-radius: 7px; overflow: auto; max-height: 22em;
        background: var(--cb-raised); color: var(--cb-ink); border: 1px solid var(--cb-line); font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; min-height: 0; }
      .swagger-ui .cb-panel .cb-waiting { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; margin: 6px 0 0; padding: 4px 12px; border-radius: 7px; color: var(--cb-wait); background: var(--cb-wait-paper); font-size: 13px; font-variant-numeric: tabular-nums; }
      .cb-countdown progress::-webkit-progress-value { background: var(--cb-wait); transition: none; }
      .cb-buttons { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 8px; }
      .cb-buttons button { padding: 3px 12px; border: 1px solid var(--cb-line); border-radius: 7px; background: var(--cb-paper); color: var(--cb-ink); font: inherit; font-size: 13px; cursor: pointer; }
      .cb-buttons button:hover { border-color: var(--cb-accent); }
      .cb-panel :focus-visible { outline: 2px solid var(--cb-accent); outline-offset: 2px; }
      .cb-spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      @media (prefers-reduced-motion: reduce) { .cb-panel * { transition: none !important; } }
    `);
    return sheet;
  }
})();
