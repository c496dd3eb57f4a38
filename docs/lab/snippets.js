// The experiment as code, to be copied: one piece for the request, and one for each way to hear of it.

const join = (...pieces) => pieces.filter(Boolean).join("\n\n") + "\n";

/** snippet is the code for what is chosen, in curl, node or go. */
export const snippet = (language, chosen) => ({ curl, node, go })[language]({ ...chosen, url: chosen.base.href, path: pathOf(chosen.kind), json: JSON.stringify(chosen.body) });

const pathOf = (kind) => ({ order: "api/orders", report: "api/reports", image: "api/images/process", payment: "api/payments" })[kind];
const streamOf = (kind) => (kind === "order" ? ["api/orders/stream", "order-update"] : ["api/tasks/stream", "task-update"]);
const ask = (ways) => ways.some((way) => way !== "blocking");

// ---- curl

const followed = /sse|polling/; // by its task_id
const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ url, path, json, ways, kind }) {
  const post = (header) => `curl -i ${quote(url + path)} -H 'Content-Type: application/json'${header} \\\n     -d ${quote(json)}`;
  const [stream] = streamOf(kind);
  const has = (way, text) => ways.includes(way) && text;
  return join(
    ask(ways) && (ways.some((way) => followed.test(way)) ? `task=$(${post("").replace("curl -i", "curl -s")} \\\n     | grep -o 'task_[0-9a-f]*')` : post("")),
    has("callback", "# The receiver prints each callback; this lists the attempts:\n" + `curl ${quote(url + "api/callbacks")}`),
    has("sse", `curl -N "${url}${stream}?task_id=$task"`),
    has("polling", `while curl -s "${url}api/tasks/$task" | grep '"status":"processing"'; do sleep 1; done\ncurl "${url}api/tasks/$task"`),
    has("longpolling", `curl "${url}api/tasks/$task?wait=30"`),
    (ways.includes("websocket") || ways.includes("socketio")) && "# curl speaks no Socket.IO: see Node",
    has("blocking", post(" -H 'Prefer: wait=60'")));
}

// ---- Node

function node({ url, path, json, ways, kind, body }) {
  const [stream, event] = streamOf(kind);
  const has = (way, text) => ways.includes(way) && text;
  const post = (name, header) => `const ${name} = await fetch('${url}${path}', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json'${header} },
  body: JSON.stringify(${json}),
}).then((response) => response.json());`;
  return join(
    has("callback", nodeReceiver(body.callback_url)),
    ask(ways) && post("accepted", "") + "\nconsole.log(accepted.task_id, accepted.status);",
    has("sse", `// npm install eventsource
import { EventSource } from 'eventsource';

const eventSource = new EventSource(\`${url}${stream}?task_id=\${accepted.task_id}\`);
eventSource.addEventListener('${event}', ({ data }) => {
  const update = JSON.parse(data);
  console.log('SSE', update.status, update.message);
  if (update.status !== 'processing') eventSource.close();
});`),
    has("socketio", `// npm install socket.io-client
import { io } from 'socket.io-client';

const socket = io('${new URL(url).origin}', { path: '${new URL(url).pathname}socket.io/' });
socket.emit('subscribe', accepted.task_id);
socket.on('progress', (update) => console.log('Socket.IO', update.message));
for (const end of ['complete', 'failed']) {
  socket.on(end, (update) => { console.log('Socket.IO', update.status); socket.close(); });
}`),
    has("websocket", `// WebSocket is part of Node 22; before: npm install ws
const ws = new WebSocket('${url.replace(/^http/, "ws")}api/ws');
ws.onopen = () => ws.send(JSON.stringify({ event: 'subscribe', data: accepted.task_id }));
ws.onmessage = ({ data }) => {
  const { event, data: update } = JSON.parse(data);
  console.log('WebSocket', event, update.message);
  if (event !== 'progress') ws.close();
};`),
    has("polling", `for (let task = accepted; task.status === 'processing'; ) {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  task = await fetch(\`${url}api/tasks/\${accepted.task_id}\`).then((response) => response.json());
  console.log('polling', task.status, task.message);
}`),
    has("longpolling", `for (let task = accepted; task.status === 'processing'; ) {
  task = await fetch(\`${url}api/tasks/\${accepted.task_id}?wait=30\`).then((response) => response.json());
  console.log('long polling', task.status, task.message);
}`),
    has("blocking", post("finished", ", Prefer: 'wait=60'") + "\nconsole.log(finished.status, finished.result);"));
}

// nodeReceiver verifies the bytes that came, as the article does with what express.json made of them.
const nodeReceiver = (address) => `// npm install express; give http://127.0.0.1:3000${routeOf(address)} as the callback_url
import crypto from 'node:crypto';
import express from 'express';

const app = express();
app.post('${routeOf(address)}', express.raw({ type: 'application/json' }), (req, res) => {
  const expected = 'sha256=' + crypto.createHmac('sha256', process.env.CALLBACK_SECRET).update(req.body).digest('hex');
  const signature = req.get('X-Callback-Signature') ?? '';
  if (signature.length !== expected.length || !crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) {
    return res.status(401).send('Invalid signature');
  }
  const update = JSON.parse(req.body);
  console.log('callback', update.callback_id, update.status, update.message); // remember the callback_id: it may come again
  res.send('OK');
});
app.listen(3000);`;

const routeOf = (address) => (URL.canParse(address) ? new URL(address).pathname : "/callbacks/order-status");

// ---- Go

function go({ url, path, json, ways, kind, body }) {
  const [stream] = streamOf(kind);
  const pieces = {
    callback: { imports: ["context", "os", "petstore/callbacks"], code: goReceiver(routeOf(body.callback_url)), last: "\tselect {} // callbacks come as long as it runs" },
    sse: { imports: ["bufio", "strings"], code: goStream(url + stream) },
    websocket: { imports: ["context", "github.com/coder/websocket", "github.com/coder/websocket/wsjson"], code: goSocket(url.replace(/^http/, "ws") + "api/ws") },
    polling: { imports: ["time"], code: goPoll(`${url}api/tasks/`, "", "\t\ttime.Sleep(time.Second)\n") },
    longpolling: { imports: [], code: goPoll(`${url}api/tasks/`, "?wait=30", "") },
  };
  const chosen = ways.map((way) => pieces[way]).filter(Boolean);
  const imports = new Set(["encoding/json", "log", "net/http", "strings", ...chosen.flatMap((piece) => piece.imports)]);
  return `package main

import (
${[...imports].sort((a, b) => a.includes(".") - b.includes(".") || a.startsWith("petstore") - b.startsWith("petstore") || a.localeCompare(b)).map((name) => `\t"${name}"`).join("\n")}
)

type task struct {
	TaskID  string \`json:"task_id"\`
	Status  string \`json:"status"\`
	Message string \`json:"message"\`
}

func main() {
${[...chosen.filter((p) => p.last).map((p) => p.code), ask(ways) && goAsk(url + path, json), ...chosen.filter((p) => !p.last).map((p) => p.code), ways.includes("blocking") && goBlock(url + path, json), ...chosen.map((p) => p.last)].filter(Boolean).join("\n\n")}
}

// call makes a request, and reads its JSON.
func call(method, url, body, prefer string) (t task) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Prefer", prefer)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&t); err != nil {
		log.Fatal(err)
	}
	return t
}
`;
}

// goText is a literal: raw, unless there is a backquote in it.
const goText = (text) => (text.includes("`") ? JSON.stringify(text) : `\`${text}\``);

const goAsk = (url, json) => `	accepted := call("POST", "${url}", ${goText(json)}, "")
	log.Println(accepted.TaskID, accepted.Status)`;

const goBlock = (url, json) => `	finished := call("POST", "${url}", ${goText(json)}, "wait=60")
	log.Println("blocking", finished.Status, finished.Message)`;

const goReceiver = (route) => `	// Give http://127.0.0.1:3000${route} as the callback_url.
	http.Handle("POST ${route}", callbacks.Receive(os.Getenv("CALLBACK_SECRET"),
		func(_ context.Context, u callbacks.Update) error {
			log.Println("callback", u.Status, u.Message)
			return nil // an error would answer 500, and the callback would come again
		}))
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:3000", nil)) }()`;

const goPoll = (url, query, pause) => `	for polled := accepted; polled.Status == "processing"; {
${pause}		polled = call("GET", "${url}"+accepted.TaskID+"${query}", "", "")
		log.Println("asked", polled.Status, polled.Message)
	}`;

const goStream = (url) => `	stream, err := http.Get("${url}?task_id=" + accepted.TaskID)
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Body.Close()
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		var update task
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData || json.Unmarshal([]byte(data), &update) != nil {
			continue
		}
		log.Println("SSE", update.Status, update.Message)
		if update.Status != "processing" {
			break
		}
	}`;

const goSocket = (url) => `	ctx := context.Background()
	socket, _, err := websocket.Dial(ctx, "${url}", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer socket.CloseNow()
	if err := wsjson.Write(ctx, socket, map[string]any{"event": "subscribe", "data": accepted.TaskID}); err != nil {
		log.Fatal(err)
	}
	for message := (struct {
		Event string
		Data  task
	}{}); message.Data.Status == "" || message.Data.Status == "processing"; {
		if err := wsjson.Read(ctx, socket, &message); err != nil {
			log.Fatal(err)
		}
		log.Println("WebSocket", message.Event, message.Data.Message)
	}`;
