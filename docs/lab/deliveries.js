// What the server does for a task, put into the journal: updates, and the attempts to deliver them.

import { receiver, server } from "./journal.js";

/** drawDeliveries puts into the journal what a run's trace knows. */
export function drawDeliveries(run) {
  const { trace } = run;
  for (const update of trace.updates.values()) drawUpdate(run, update);
  const called = [...trace.deliveries.values()].filter((d) => !d.webhook_id);
  for (const delivery of called) {
    for (const attempt of delivery.tries) drawAttempt(run, delivery, attempt);
    drawWait(run, delivery, called);
  }
}

const ok = (attempt) => attempt.status_code >= 200 && attempt.status_code <= 299;

function drawUpdate({ journal, skew }, update) {
  journal.put(`update ${update.sequence}`, {
    kind: "update", at: Date.parse(update.timestamp) - skew, title: update.type, message: update.message, progress: update.progress,
    tone: { completed: "good", failed: "bad", cancelled: "bad" }[update.status], request: { line: "", body: JSON.stringify(update) },
  });
}

function drawAttempt(run, delivery, attempt) {
  const { journal, trace, skew } = run;
  const at = Date.parse(attempt.started_at) - skew;
  const arrival = trace.arrival(delivery, attempt);
  const body = JSON.stringify(delivery.body);
  const verdicts = CallbacksPlugin.verdicts(arrival);
  journal.put(`attempt ${delivery.delivery_id} ${attempt.number}`, {
    kind: "exchange", way: "callback", from: server, to: receiver, at, end: at + attempt.duration_ms, ms: attempt.duration_ms, bytes: body.length + attempt.body.length,
    title: delivery.type, subtitle: attempt.number > 1 ? `attempt ${attempt.number}` : "", tone: ok(attempt) ? "good" : "bad", sender: "callback", verifier: run.choice.receiver && (run.choice.fault.inbox ? "inbox" : "receiver"), verdicts,
    request: { line: `POST ${delivery.url}`, headers: CallbacksPlugin.headerLines(arrival?.headers), body: arrival?.body ?? body },
    ...remarkOf(delivery, attempt),
    answer: { line: attempt.status_code ? `${attempt.status_code} ${textOf(attempt)}` : attempt.error, headers: CallbacksPlugin.headerLines(attempt.headers), body: attempt.body },
  });
  if (ok(attempt) && CallbacksPlugin.ended(delivery.body)) hear(run, at + attempt.duration_ms);
}

function hear(run, at) {
  const known = run.known.get("callback");
  if (known && !known.at) known.at = at;
}

// remarkOf is why no attempt follows, or when the receiver wants one: in a word, and in a sentence.
function remarkOf(delivery, attempt) {
  const wanted = attempt.headers["Retry-After"]?.[0];
  const last = attempt.number === delivery.tries.length;
  if (last && delivery.status === "superseded") return { remark: "overtaken", explained: "a newer update came while it waited for its next attempt, so it isn't sent any more." };
  if (last && delivery.status === "exhausted") return { remark: "the last attempt", explained: "it was tried as often as the retry schedule says. It can still be redelivered by hand." };
  if (wanted) return { remark: `Retry-After: ${wanted}`, explained: `the receiver wants to be left alone until then (${/^\d+$/.test(wanted) ? "in seconds" : "a date"}).` };
  return { remark: undefined, explained: undefined };
}

const textOf = (attempt) => (attempt.body && attempt.body.length < 30 ? attempt.body : "");

// drawWait shows the next attempt before it is known what comes of it.
function drawWait({ journal, skew }, delivery, all) {
  const id = `wait ${delivery.delivery_id}`;
  const earlier = all.some((d) => d.status === "pending" && d.sequence < delivery.sequence);
  if (delivery.status !== "pending" || earlier || !delivery.next_attempt_at) return journal.remove(id);
  const last = delivery.tries.at(-1);
  const due = Date.parse(delivery.next_attempt_at) - skew;
  const from = last ? Date.parse(last.started_at) + last.duration_ms - skew : due;
  journal.put(id, { kind: "wait", way: "callback", from: server, to: receiver, at: Math.max(due, from), since: from, due, title: delivery.type, number: delivery.tries.length + 1 });
}
