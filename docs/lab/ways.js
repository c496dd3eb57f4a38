// The ways to hear of slow work. Each is a function that begins when the task is known, and ends when it has heard the end.

import { client, server } from "./journal.js";

const ended = (body) => body.status !== "processing";
const short = (update) => (ended(update) ? update.status : `${update.progress} %`);

export const names = {
  callback: "Callback", sse: "SSE", socketio: "Socket.IO", websocket: "WebSocket", polling: "Polling", longpolling: "Long polling", blocking: "Blocking",
};

export const ways = {
  async sse(run) {
    const heard = {};
    while (!heard.end && (await patiently(run, () => followStream(run, heard))));
  },

  async polling(run) {
    for (let body; !body || ended(body) === false; ) {
      const { answer, text } = await patiently(run, () => run.fetch({ way: "polling", path: `api/tasks/${run.task}`, sender: "task" }));
      if (!answer.ok) return;
      body = JSON.parse(text);
      if (ended(body)) run.heard("polling");
      else await run.pause(1000 * Number(answer.headers.get("Retry-After") ?? 1));
    }
  },

  async longpolling(run) {
    for (let body; !body || ended(body) === false; ) {
      const { answer, text } = await patiently(run, () => run.fetch({ way: "longpolling", path: `api/tasks/${run.task}?wait=30`, sender: "task" }));
      if (!answer.ok) return;
      body = JSON.parse(text);
      if (ended(body)) run.heard("longpolling");
    }
  },

  websocket: (run) => converse(run, "websocket", "api/ws", StreamsPlugin.plain),
  socketio: (run) => converse(run, "socketio", "socket.io/?EIO=4&transport=websocket", StreamsPlugin.socketIO),
};

// patiently asks again a second later when no answer came, or when it broke off: a TypeError, as fetch has it.
async function patiently(run, ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await run.pause(1000);
    }
  }
}

// followStream hears the events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html) to its end, from
// behind the last that was heard: as an EventSource does, which does not show its requests. It returns whether there is a stream.
async function followStream(run, heard) {
  const { stream, event } = run.kind;
  const headers = { Accept: "text/event-stream", ...(heard.id && { "Last-Event-ID": heard.id }) };
  const opened = await run.open({ way: "sse", path: `${stream}?task_id=${run.task}`, headers, sender: stream.includes("orders") ? "orderStream" : "taskStream" });
  if (!opened.answer.ok) return false;
  const parse = StreamsPlugin.parser(({ name, data, id }) => {
    heard.id = id;
    if (name !== event) return;
    const update = JSON.parse(data);
    run.message({ way: "sse", from: server, to: client, title: `${name} ${short(update)}`, body: data, raw: `event: ${name}\nid: ${id}\ndata: ${data}\n`, sender: "stream" });
    heard.end = ended(update);
    if (heard.end) run.heard("sse");
  });
  try {
    for (const reader = opened.answer.body.pipeThrough(new TextDecoderStream()).getReader(); !heard.end; ) {
      const { done, value } = await reader.read();
      if (done) throw new TypeError("The stream broke off.");
      parse(value);
    }
  } finally {
    opened.close();
  }
  return true;
}

/**
 * converse subscribes to the task over a socket. Where there is none yet it begins one, as in the article:
 * socket.emit('process', …), and socket.on('complete', …).
 */
function converse(run, way, path, protocol) {
  const sent = Date.now();
  const socket = new WebSocket(new URL(path, run.base).href.replace(/^http/, "ws"));
  run.journal.put(way, {
    kind: "exchange", way, from: client, to: server, at: sent, title: `GET ${run.pathOf(path).split("?")[0]}`, sender: way === "socketio" ? "socketio" : "upgrade",
    request: { line: `GET ${run.pathOf(path)}`, headers: [["Connection", "Upgrade"], ["Upgrade", "websocket"]] }, bytes: 0,
  });
  const emit = (event, data) => {
    const frame = protocol.encode(event, data, 1);
    socket.send(frame);
    run.message({ way, from: client, to: server, title: `emit ${event}`, body: JSON.stringify(data), raw: frame, sender: event === "process" ? "process" : "subscribe" });
  };
  const begin = () => (run.task ? emit("subscribe", run.task) : emit("process", { kind: run.choice.kind, ...run.choice.body }));
  return new Promise((resolve, reject) => {
    socket.onopen = () => {
      run.journal.put(way, { end: Date.now(), open: true, answer: { line: "101 Switching Protocols", headers: [["Connection", "Upgrade"], ["Upgrade", "websocket"]] } });
      if (protocol === StreamsPlugin.plain) begin();
    };
    socket.onmessage = ({ data: frame }) => {
      const message = protocol.decode(frame, socket);
      if (message?.name === "connect") return begin(); // to Socket.IO's namespace
      if (!message?.data) return;
      const data = JSON.parse(message.data);
      const problem = message.name === "error" ? data : data.error?.title && data.error;
      run.message({ way, from: server, to: client, title: titleOf(message.name, data), body: message.data, raw: frame, sender: "socket", tone: problem ? "bad" : undefined });
      if (problem) return reject(new Error(problem.detail ?? problem.title));
      if (message.name === "ack") run.follow((data.data ?? data).task_id);
      if (message.name === "complete" || message.name === "failed") {
        run.heard(way);
        socket.close();
      }
    };
    socket.onclose = () => {
      run.journal.put(way, { open: false, closed: Date.now(), end: run.journal.entries.get(way)?.end ?? Date.now() });
      if (run.known.get(way).at) resolve();
      else reject(new Error("The connection was closed before the end was told."));
    };
    run.signal.addEventListener("abort", () => socket.close());
  });
}

const titleOf = (name, data) => (name === "progress" ? `progress ${data.progress} %` : name);
