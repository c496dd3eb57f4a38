// Scenarios for the server of node_test.go: node client.mjs <scenario> <url>.
// A scenario that fails throws, and the exit code is 1.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [scenario, url] = process.argv.slice(2);
const connect = (path = "/", options = {}) =>
  io(url + path, { forceNew: true, reconnection: false, ...options });
const event = (emitter, name) =>
  new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
const transportOf = (socket) => socket.io.engine.transport.name;

async function exchange(socket) {
  await event(socket, "connect");
  assert.deepEqual(await socket.emitWithAck("echo", 1, "zwei €😀", { three: [true, null] }, "\u001e"), [
    1, "zwei €😀", { three: [true, null] }, "\u001e",
  ]);
}

// Sends numbered events in small bursts across the upgrade; the server answers
// each with an event of the same number, and lets the WebSocket in only when some
// hundred of them have come by polling.
async function traffic(socket) {
  const received = [];
  let sent = 0;
  let upgradedAt = Infinity;
  socket.on("tick", (n) => received.push(n));
  await event(socket, "connect");
  socket.io.engine.once("upgrade", () => (upgradedAt = received.length));
  let sentAtUpgrade = 0;
  socket.io.engine.once("upgrade", () => (sentAtUpgrade = sent));
  while (sentAtUpgrade === 0 || sent < sentAtUpgrade + 1000) {
    for (let i = 0; i < 20; i++) socket.emit("seq", ++sent);
    await new Promise((resolve) => setImmediate(resolve));
    while (sent > received.length + 300) await event(socket, "tick");
  }
  assert.equal(await socket.emitWithAck("seq-end"), sent, "events at the server, in order");
  assert.deepEqual(received, Array.from({ length: sent }, (_, i) => i + 1));
  assert.ok(upgradedAt > 0 && upgradedAt < sent, `upgraded after ${upgradedAt} of ${sent}`);
}

const scenarios = {
  async upgrade() {
    const socket = connect();
    const upgraded = event(socket.io.engine, "upgrade");
    await exchange(socket);
    await upgraded;
    assert.equal(transportOf(socket), "websocket");
    await exchangeAgain(socket);
    socket.disconnect();
  },
  async polling() {
    const socket = connect("/", { transports: ["polling"] });
    await exchange(socket);
    assert.equal(transportOf(socket), "polling");
    socket.disconnect();
  },
  async websocket() {
    const socket = connect("/", { transports: ["websocket"] });
    await exchange(socket);
    assert.equal(transportOf(socket), "websocket");
    socket.disconnect();
  },
  async traffic() {
    // Several clients, since each upgrade meets its traffic at another moment.
    for (let i = 0; i < 4; i++) {
      const socket = connect();
      await traffic(socket);
      socket.disconnect();
    }
  },
  async pollingTraffic() {
    const socket = connect("/", { transports: ["polling"] });
    const received = [];
    socket.on("tick", (n) => received.push(n));
    for (let n = 1; n <= 5000; n++) socket.emit("seq", n);
    assert.equal(await socket.emitWithAck("seq-end"), 5000);
    assert.deepEqual(received, Array.from({ length: 5000 }, (_, i) => i + 1));
    socket.disconnect();
  },
  async namespaces() {
    const main = connect();
    const welcome = event(main, "welcome");
    await event(main, "connect");
    await welcome;
    const [unknown] = await event(main.io.socket("/nowhere"), "connect_error");
    assert.equal(unknown.message, "Invalid namespace");
    assert.equal(await main.emitWithAck("echo", "still here").then(([s]) => s), "still here");
    main.disconnect();
  },
  async kicked() {
    for (const transports of [["polling"], ["websocket"], undefined]) {
      const socket = connect("/", transports && { transports });
      await event(socket, "connect");
      const words = event(socket, "last words");
      const gone = event(socket, "disconnect");
      socket.emit("bye");
      assert.deepEqual(await words, ["farewell"]);
      assert.equal((await gone)[0], "io server disconnect");
    }
  },
  async panics() {
    const socket = connect();
    await event(socket, "connect");
    socket.emit("panic");
    const [reason] = await event(socket, "disconnect");
    assert.equal(reason, "io server disconnect");
  },
  async binary() {
    for (const transports of [["polling"], ["websocket"]]) {
      const socket = connect("/", { transports });
      await event(socket, "connect");
      const gone = event(socket, "disconnect");
      const told = event(socket, "error");
      socket.emit("echo", Buffer.from([1, 2, 3]), { nested: new Uint8Array(10) });
      const [error] = await told;
      assert.equal(error.code, "BINARY_UNSUPPORTED");
      assert.equal((await gone)[0], "io server disconnect");
    }
  },
  async large() {
    for (const transports of [["polling"], ["websocket"]]) {
      const socket = connect("/", { transports });
      await event(socket, "connect");
      const fits = "x".repeat(400_000);
      assert.deepEqual(await socket.emitWithAck("echo", fits), [fits]);
      // Several that fit one by one are spread over several bodies by the client.
      const many = [1, 2, 3, 4, 5].map((n) => socket.emitWithAck("echo", fits.slice(n)));
      for (const [text] of await Promise.all(many)) assert.ok(text.length > 390_000);
      socket.emit("echo", "x".repeat(1_000_001));
      const [reason] = await event(socket, "disconnect");
      assert.match(reason, /^transport/);
    }
  },
  async heartbeat() {
    for (const transports of [["polling"], ["websocket"]]) {
      const socket = connect("/", { transports });
      await event(socket, "connect");
      for (let i = 0; i < 4; i++) await event(socket.io.engine, "ping");
      assert.ok(socket.connected);
      socket.disconnect();
    }
  },
  // Reconnects for as long as it is not told to quit, and says when it does.
  async reconnect() {
    const socket = connect("/", { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
    socket.on("disconnect", (reason) => console.log("disconnected: " + reason));
    socket.on("connect", async () => {
      const [text] = await socket.emitWithAck("echo", "hello");
      console.log("connected: " + text);
    });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === "quit") break;
    }
    socket.disconnect();
    process.stdin.destroy();
  },
};

async function exchangeAgain(socket) {
  assert.deepEqual(await socket.emitWithAck("echo"), []);
}

await scenarios[scenario]();
