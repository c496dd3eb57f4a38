// How values read.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export const time = (iso) => clock.format(new Date(iso));
export const date = (iso) => day.format(new Date(iso)) + ", " + time(iso);

export function duration(ms) {
  if (ms < 1) return ms.toFixed(2) + " ms";
  if (ms < 100) return ms.toFixed(1) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 120_000) return (ms / 1000).toFixed(ms < 10_000 ? 2 : 1) + " s";
  if (ms < 7_200_000) return Math.round(ms / 60_000) + " min";
  return (ms / 3_600_000).toFixed(1) + " h";
}

export function bytes(n) {
  if (n < 1024) return n + " B";
  if (n < 1024 * 1024) return (n / 1024).toFixed(1) + " KB";
  return (n / 1024 / 1024).toFixed(1) + " MB";
}

export const count = (n, one, many = one + "s") => `${n.toLocaleString()} ${n === 1 ? one : many}`;

/** answered is what the receiver did with a request, in a word, and whether that was a success. */
export function answered(answer) {
  if (!answer) return { text: "…", kind: "wait", long: "being answered" };
  if (answer.status === 0) return { text: "dropped", kind: "bad", long: "connection dropped" };
  const kind = answer.status < 300 ? "good" : answer.status < 400 ? "moved" : "bad";
  return { text: String(answer.status), kind, long: "answered " + answer.status };
}

/** status is what came back from elsewhere. */
export const outcome = (exchange) => (exchange.error ? { text: "failed", kind: "bad" } : answered(exchange));

/** unchecked tells a verdict that found nothing because nothing could be checked. */
export const unchecked = (verdict) => verdict.code.endsWith("_unchecked");

export const codeName = (code) => code.replaceAll("_", " ");
