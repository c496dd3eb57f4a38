/*
 * A plugin for Swagger UI 5 for operations whose answer does not end.
 *
 *   SwaggerUIBundle({ …, plugins: [StreamsPlugin({ socketIO: "/socket.io/" })] });
 *
 * An operation that answers text/event-stream lists its events as they come, with a count and Stop, while the page goes on.
 * One that answers 101 (Switching Protocols) gets a console: for a plain WebSocket whose messages are {"event":…,"data":…},
 * and for Socket.IO. README.md, beside this file, has the settings. One file, no build step, no dependency.
 */
const StreamsPlugin = (() => {
  "use strict";

  let React, h; // Swagger UI's own, set when the plugin is loaded

  const defaults = {
    // Where Socket.IO is, in place of the operation's path; null if it isn't.
    socketIO: null,
    // What the console begins with.
    examples: [
      { name: "Place an order", event: "process", data: { kind: "order", product: "dog-food" } },
      { name: "Profile a dataset", event: "process", data: { data: "large dataset" } },
      { name: "Follow a task", event: "subscribe", data: "task_…" },
      { name: "Stop following it", event: "unsubscribe", data: "task_…" },
    ],
  };

  // ---- What is open

  const kept = 500; // entries of a connection that are listed: the newest
  // Browsers open six connections to a host (HTTP/1.1). The page needs some for itself.
  const most = 4;
  const connections = new Map(); // by operation, the oldest first
  const keyOf = (method, path) => `${method} ${path}`.toLowerCase();

  class Connection {
    constructor(close) {
      Object.assign(this, { close, entries: [], count: 0, state: "open", note: "", version: 0, listeners: new Set() });
    }

    subscribe = (listener) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };

    add(entry) {
      this.entries.push({ ...entry, at: new Date(), key: this.version });
      if (entry.sent !== true) this.count++;
      if (this.entries.length > kept) this.entries.shift();
      this.changed();
    }

    // changed redraws at most every 50 ms, however fast events come.
    changed() {
      this.version++;
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        for (const listener of this.listeners) listener();
      }, 50);
    }

    end(state, note) {
      if (this.state !== "open") return;
      Object.assign(this, { state, note });
      this.close();
      this.changed();
    }
  }

  function register(key, connection) {
    connections.set(key, connection);
    const streams = [...connections.values()].filter((c) => c.state === "open" && !c.send);
    if (streams.length > most) streams[0].end("stopped", `A browser opens only a few connections to one server: of more than ${most} streams the oldest is stopped.`);
  }

  function forget(key) {
    connections.get(key)?.end("stopped", "");
    connections.delete(key);
  }

  // A page kept for the back button would keep its connections.
  window.addEventListener("pagehide", () => {
    for (const connection of connections.values()) connection.end("stopped", "Closed when the page was left.");
  });

  // answered is the answer without its endless body, as Swagger UI reads one.
  const answered = ({ status, statusText, url, headers }) =>
    ({ ok: true, status, statusText, url, headers, text: async () => "", blob: async () => new Blob() });

  // ---- Server-sent events

  async function openStream(key, url, request) {
    const control = new AbortController();
    const answer = await fetch(url, { ...request, signal: control.signal });
    if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return answer;
    const connection = new Connection(() => control.abort());
    register(key, connection);
    read(answer.body, connection);
    return answered(answer);
  }

  async function read(body, connection) {
    try {
      const parse = parser((event) => connection.add(event));
      for (const reader = body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        parse(value);
      }
      connection.end("ended", "The server ended the stream.");
    } catch (error) {
      connection.end("ended", error.message);
    }
  }

  // https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
  function parser(dispatch) {
    let rest = "";
    let event = {};
    let id = "";
    const field = (line) => {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
      if (name === "event") event.name = value;
      if (name === "id") id = value;
    };
    return (text) => {
      const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line !== "") field(line);
        else {
          if (event.data !== undefined) dispatch({ name: event.name ?? "message", id, data: event.data });
          event = {};
        }
      }
    };
  }

  // ---- WebSocket, plain and as Socket.IO (https://socket.io/docs/v4/engine-io-protocol/, …/socket-io-protocol/)

  const plain = {
    name: "WebSocket",
    encode: (event, data, id) => JSON.stringify({ event, id, data }),
    decode: (frame) => ({ name: "message", ...rename(JSON.parse(frame)) }),
  };
  const rename = ({ event, id, data }) => ({ name: event ?? "message", id, data: JSON.stringify(data) });

  const socketIO = {
    name: "Socket.IO",
    encode: (event, data, id) => `42${id}${JSON.stringify([event, data])}`,
    // Engine.IO's own packets are answered, and not listed: 0 open, 2 ping. 40 is the connection to the namespace.
    decode(frame, socket) {
      if (frame.startsWith("0")) socket.send("40");
      if (frame === "2") socket.send("3");
      const [, type, id, data] = /^4([0-4])(\d*)(.*)$/s.exec(frame) ?? [];
      if (type === "0") return { name: "connect", data };
      if (type === "2") return { name: JSON.parse(data)[0], data: JSON.stringify(JSON.parse(data)[1]) };
      if (type === "3") return { name: "ack", id, data: JSON.stringify(JSON.parse(data)[0]) };
      if (type !== undefined) return { name: type === "1" ? "disconnect" : "connect_error", data };
    },
  };

  const spoken = new Map(); // by operation: plain or socketIO

  function openSocket(key, url, protocol) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url.replace(/^http/, "ws"));
      const connection = new Connection(() => socket.close());
      let id = 0;
      connection.send = (event, data) => {
        const frame = protocol.encode(event, data, ++id);
        socket.send(frame);
        connection.add({ sent: true, name: event, id, data: JSON.stringify(data) });
      };
      socket.onopen = () => {
        register(key, connection);
        resolve(answered({ status: 101, statusText: "Switching Protocols", url, headers: new Headers() }));
      };
      socket.onmessage = ({ data }) => {
        const message = protocol.decode(data, socket);
        if (message) connection.add(message);
      };
      socket.onclose = ({ code, reason }) => {
        reject(new TypeError("The WebSocket could not be opened."));
        connection.end("ended", `The server closed the connection: ${code}${reason && ", " + reason}.`);
      };
    });
  }

  // ---- What is shown

  function Log({ connection, examples }) {
    React.useSyncExternalStore(connection.subscribe, () => connection.version);
    const list = React.useRef(null);
    const atEnd = React.useRef(true);
    React.useEffect(() => {
      if (atEnd.current) list.current.scrollTop = list.current.scrollHeight;
    });
    const scrolled = ({ target }) => {
      atEnd.current = target.scrollTop + target.clientHeight > target.scrollHeight - 8;
    };
    const more = connection.count > kept ? ` (the last ${kept} are listed)` : "";
    return h("section", { className: "st-panel", "aria-label": "Events, live" },
      h("header", null,
        h("h4", null, connection.send ? "Messages" : "Events"),
        h("span", { className: `st-pill st-${connection.state}` }, connection.state),
        h("span", { className: "st-quiet st-count" }, `${connection.count} received${more}`),
        h("button", { type: "button", disabled: connection.state !== "open", onClick: () => connection.end("stopped", "") }, connection.send ? "Close" : "Stop")),
      h("div", { className: "st-log", ref: list, onScroll: scrolled, role: "log", tabIndex: 0, "aria-label": "Events" },
        h("ol", null, connection.entries.map((entry) => h(Entry, { key: entry.key, entry })))),
      connection.count === 0 && connection.state === "open" && h("p", { className: "st-quiet" }, "It is open. Nothing has come yet."),
      connection.note && h("p", { className: "st-quiet", role: "status" }, connection.note),
      connection.send && connection.state === "open" && h(Composer, { connection, examples }));
  }

  const Entry = ({ entry }) =>
    h("li", { className: entry.sent ? "st-sent" : undefined },
      h("details", null,
        h("summary", null,
          h("span", { className: "st-arrow", role: "img", "aria-label": entry.sent ? "sent" : "received" }, entry.sent ? "↑" : "↓"),
          h("b", null, entry.name),
          entry.id !== undefined && entry.id !== "" && h("span", { className: "st-quiet" }, `#${entry.id}`),
          h("code", null, entry.data),
          h("time", { className: "st-quiet" }, entry.at.toTimeString().slice(0, 8), ".", String(entry.at.getMilliseconds()).padStart(3, "0"))),
        h("pre", { tabIndex: 0 }, pretty(entry.data))));

  function pretty(data) {
    try {
      return JSON.stringify(JSON.parse(data), null, 2);
    } catch {
      return data;
    }
  }

  function Composer({ connection, examples }) {
    const [event, setEvent] = React.useState(examples[0].event);
    const [data, setData] = React.useState(JSON.stringify(examples[0].data));
    const [error, setError] = React.useState("");
    const choose = ({ target }) => {
      setEvent(examples[target.value].event);
      setData(JSON.stringify(examples[target.value].data));
    };
    const send = (submitted) => {
      submitted.preventDefault();
      try {
        connection.send(event, JSON.parse(data));
        setError("");
      } catch (failed) {
        setError(failed instanceof SyntaxError ? "The data must be JSON." : failed.message);
      }
    };
    return h("form", { className: "st-composer", onSubmit: send },
      h("label", null, "Example", h("select", { onChange: choose }, examples.map(({ name }, i) => h("option", { key: name, value: i }, name)))),
      h("label", null, "Event", h("input", { value: event, onChange: ({ target }) => setEvent(target.value), required: true })),
      h("label", { className: "st-data" }, "Data (JSON)", h("input", { value: data, onChange: ({ target }) => setData(target.value), spellCheck: false, "aria-invalid": Boolean(error) })),
      h("button", { type: "submit" }, "Send"),
      error && h("p", { role: "alert" }, error));
  }

  function Protocols({ name }) {
    const [chosen, setChosen] = React.useState(spoken.get(name) ?? plain);
    const choose = (protocol) => {
      spoken.set(name, protocol);
      setChosen(protocol);
    };
    return h("fieldset", { className: "st-protocols" }, h("legend", null, "Speak"),
      [plain, socketIO].map((protocol) => h("label", { key: protocol.name },
        h("input", { type: "radio", name, checked: protocol === chosen, onChange: () => choose(protocol) }), protocol.name)));
  }

  // ---- The plugin

  const isStream = (operation) => operation.get("responses")?.some((response) => response.get("content")?.has("text/event-stream"));
  const isSocket = (operation) => operation.get("responses")?.has("101");

  const plugin = (options = {}) => (system) => {
    React = system.React;
    h = React.createElement;
    const settings = { ...defaults, ...options };
    document.adoptedStyleSheets.push(look());
    return {
      statePlugins: {
        spec: {
          wrapActions: {
            executeRequest: (original) => (request) => {
              const { operation, pathName, method } = request;
              const key = keyOf(method, pathName);
              forget(key);
              if (isStream(operation)) return original({ ...request, userFetch: (url, init) => openStream(key, url, init) });
              if (isSocket(operation)) return original({ ...request, userFetch: (url) => openSocket(key, ...addressOf(key, url, pathName, settings)) });
              return original(request);
            },
            clearResponse: (original) => (path, method) => {
              forget(keyOf(method, path));
              return original(path, method);
            },
          },
        },
      },
      wrapComponents: {
        parameters: (Original) => (props) => {
          const asked = props.tryItOutEnabled && props.allowTryItOut && settings.socketIO && isSocket(props.operation);
          return h(React.Fragment, null, h(Original, props), asked && h(Protocols, { name: keyOf(props.pathMethod[1], props.pathMethod[0]) }));
        },
        liveResponse: (Original) => (props) => {
          const connection = connections.get(keyOf(props.method, props.path));
          return h(React.Fragment, null, h(Original, props), connection && h(Log, { connection, examples: settings.examples }));
        },
      },
    };
  };

  // What a page without Swagger UI can use, too.
  return Object.assign(plugin, { parser, plain, socketIO });

  function addressOf(key, url, path, settings) {
    const protocol = spoken.get(key) ?? plain;
    if (protocol === plain) return [url, protocol];
    return [`${url.slice(0, url.lastIndexOf(path))}${settings.socketIO}?EIO=4&transport=websocket`, protocol];
  }

  function look() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      .st-panel, .st-protocols {
        --st-line: #d3dcdc; --st-paper: #fff; --st-raised: #f4f8f8; --st-ink: #17302e; --st-quiet: #50635f; --st-good: #0b6b46; --st-good-paper: #dff5ea; --st-bad: #b3261e; --st-accent: #0f766e;
        color: var(--st-ink); font: 14px/1.5 system-ui, sans-serif; min-width: 0;
      }
      @media (prefers-color-scheme: dark) {
        .st-panel, .st-protocols {
          --st-line: #36474a; --st-paper: #172122; --st-raised: #1f2c2e; --st-ink: #e3eceb; --st-quiet: #a3b5b2; --st-good: #6ee7b0; --st-good-paper: #10392a; --st-bad: #ffa79f; --st-accent: #5eead4;
        }
      }
      .st-panel { margin: 16px 0 24px; border: 1px solid var(--st-line); border-radius: 12px; background: var(--st-paper); overflow: hidden; }
      .st-panel * { box-sizing: border-box; }
      .st-panel header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; padding: 10px 16px; background: var(--st-raised); border-bottom: 1px solid var(--st-line); }
      .swagger-ui .st-panel h4 { margin: 0; font: 700 15px/1.4 system-ui, sans-serif; color: var(--st-ink); }
      .st-quiet { color: var(--st-quiet); font-size: 13px; } .st-count { flex: 1; font-variant-numeric: tabular-nums; }
      .st-pill { padding: 1px 10px; border-radius: 99px; font-size: 12px; font-weight: 600; color: var(--st-quiet); border: 1px solid var(--st-line); }
      .st-pill.st-open { color: var(--st-good); background: var(--st-good-paper); border-color: transparent; }
      .st-panel button { padding: 4px 16px; border: 1px solid var(--st-line); border-radius: 7px; background: var(--st-paper); color: var(--st-ink); font: inherit; font-weight: 600; cursor: pointer; }
      .st-panel button:disabled { opacity: .6; cursor: default; } .st-panel button:not(:disabled):hover { border-color: var(--st-accent); }
      .st-log { max-height: 26em; overflow: auto; } .st-panel ol { list-style: none; margin: 0; padding: 4px 0; }
      .st-panel li { border-bottom: 1px solid var(--st-line); } .st-panel li:last-child { border: 0; }
      .st-panel li.st-sent { background: var(--st-raised); }
      .st-panel summary { display: flex; align-items: baseline; gap: 10px; padding: 5px 16px; cursor: pointer; min-width: 0; }
      .st-arrow { color: var(--st-accent); font-weight: 700; }
      .swagger-ui .st-panel summary code { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding: 0; background: none; color: var(--st-ink); font: 12px/1.5 ui-monospace, monospace; }
      .st-panel details[open] summary code { visibility: hidden; }
      .swagger-ui .st-panel pre { margin: 0 16px 10px; padding: 10px; border: 1px solid var(--st-line); border-radius: 7px; background: var(--st-raised); color: var(--st-ink); font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; min-height: 0; }
      .swagger-ui .st-panel p { margin: 0; padding: 8px 16px; } .swagger-ui .st-panel p[role="alert"] { color: var(--st-bad); flex-basis: 100%; padding: 0; }
      .st-composer { display: flex; flex-wrap: wrap; align-items: end; gap: 8px; padding: 12px 16px; border-top: 1px solid var(--st-line); background: var(--st-raised); }
      .swagger-ui .st-composer label { display: grid; gap: 2px; margin: 0; font: inherit; font-size: 12px; color: var(--st-quiet); flex: 1 1 9em; min-width: 0; } .swagger-ui .st-composer .st-data { flex: 3 1 14em; }
      .swagger-ui .st-composer :is(input, select) { width: 100%; min-width: 0; max-width: none; height: 34px; margin: 0; padding: 4px 8px; border: 1px solid var(--st-line); border-radius: 7px; background: var(--st-paper); color: var(--st-ink); font: 13px ui-monospace, monospace; box-shadow: none; }
      .st-composer button { background: var(--st-accent); color: var(--st-paper); border-color: transparent; height: 34px; }
      .swagger-ui .st-protocols { margin: 0 20px 16px; padding: 0; border: 0; display: flex; gap: 16px; } .st-protocols legend { font-weight: 700; padding: 0 0 4px; }
      .swagger-ui .st-protocols label { display: inline-flex; align-items: center; gap: 6px; margin: 0 16px 0 0; font: inherit; color: inherit; }
      .st-panel :focus-visible { outline: 2px solid var(--st-accent); outline-offset: -2px; }
      @media (max-width: 500px) { .st-panel summary { flex-wrap: wrap; } .swagger-ui .st-panel summary code { order: 1; flex-basis: 100%; } }
    `);
    return sheet;
  }
})();
