// What a step of a script does, in words, and steps to begin with.

const seconds = (d) => (typeof d === "number" ? d + " s" : d);

/** describe says what a step does. */
export function describe(step) {
  const whom = step.times
    ? step.by === "attempt" ? `The first ${step.times === 1 ? "attempt" : step.times + " attempts"} of each delivery` : step.times === 1 ? "The next request" : `The next ${step.times} requests`
    : step.probability ? `${Math.round(step.probability * 100)} % of requests` : "All that come then";
  const what = effects(step);
  return `${whom}: ${what.length ? what.join(", ") : "200 OK"}.`;
}

function effects(s) {
  const all = [];
  const say = (given, text) => given !== undefined && given !== false && all.push(text);
  say(s.delay, `wait ${seconds(s.delay)}`);
  say(s.hang, "no answer until the sender gives up");
  say(s.status, `answer ${s.status}`);
  say(s.retry_after, `Retry-After ${s.retry_after} s${s.retry_after_date ? ", as a date" : ""}`);
  say(s.redirect, `redirect to ${s.redirect}`);
  say(s.headers, "headers " + Object.keys(s.headers ?? {}).join(", "));
  say(s.body, "a body of its own");
  say(s.slow_body, `a body that takes ${seconds(s.slow_body)}`);
  say(s.huge_body, s.huge_body < 0 ? "a body without end" : `a body of ${s.huge_body} bytes`);
  say(s.truncate, `the body breaks off after ${s.truncate} bytes`);
  say(s.drop, { before: "reset the connection, without an answer", during: "reset the connection within the answer", after: "close the connection after the answer" }[s.drop] ?? "drop?");
  say(s.bad_http, { garbage: "an answer that is not HTTP", header: "1 MiB of headers", length: "two lengths that differ" }[s.bad_http] ?? "bad HTTP?");
  say(s.hold, `hold it ${seconds(s.hold)} before it is passed on`);
  say(s.swap, "pass it on after the next one");
  say(s.repeat, `pass it on ${s.repeat} times more`);
  say(s.corrupt_signature, "pass it on with a broken signature");
  return all;
}

export const presets = [
  ["Fail twice", { status: 500, times: 2, by: "attempt" }],
  ["Busy", { status: 503, retry_after: 2, times: 1 }],
  ["Too many", { status: 429, retry_after: 2, retry_after_date: true, times: 1 }],
  ["Gone", { status: 410 }],
  ["Slow", { delay: "3s" }],
  ["Hang", { hang: true, times: 1 }],
  ["Reset", { drop: "before", times: 1 }],
  ["Cut off", { drop: "during", times: 1 }],
  ["Redirect", { redirect: "http://127.0.0.1:9/elsewhere", times: 1 }],
  ["Endless body", { huge_body: -1, times: 1 }],
  ["Not HTTP", { bad_http: "garbage", times: 1 }],
  ["Flaky", { status: 500, probability: 0.3 }],
  ["Out of order", { swap: true, times: 1 }],
  ["Duplicates", { repeat: 1 }],
  ["Broken signature", { corrupt_signature: true, times: 1 }],
];
