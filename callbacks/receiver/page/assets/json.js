// Reading JSON without changing it: JSON.parse would round numbers and drop members that come twice.

const token = /\s*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))/y;
const maxDepth = 200;
export const maxNodes = 5000;

/** parse returns a tree of nodes whose `raw` is as it was sent, or null if the text isn't JSON that can be shown. */
export function parse(text) {
  let at = 0;
  let nodes = 0;
  const fail = () => { throw new SyntaxError(); };

  function next() {
    token.lastIndex = at;
    const m = token.exec(text);
    if (!m) fail();
    at = token.lastIndex;
    return { mark: m[1], string: m[2], number: m[3], word: m[4] };
  }

  function value(t, depth) {
    if (depth > maxDepth || ++nodes > maxNodes) fail();
    if (t.string !== undefined) return { kind: "string", raw: t.string };
    if (t.number !== undefined) return { kind: "number", raw: t.number };
    if (t.word !== undefined) return { kind: t.word === "null" ? "null" : "boolean", raw: t.word };
    if (t.mark === "[") return { kind: "array", items: items(depth) };
    if (t.mark === "{") return { kind: "object", items: members(depth) };
    return fail();
  }

  function items(depth) {
    const all = [];
    let t = next();
    if (t.mark === "]") return all;
    for (;;) {
      all.push({ key: String(all.length), value: value(t, depth + 1) });
      t = next();
      if (t.mark === "]") return all;
      if (t.mark !== ",") fail();
      t = next();
    }
  }

  function members(depth) {
    const all = [];
    let t = next();
    if (t.mark === "}") return all;
    for (;;) {
      if (t.string === undefined || next().mark !== ":") fail();
      all.push({ name: t.string, key: JSON.parse(t.string), value: value(next(), depth + 1) });
      t = next();
      if (t.mark === "}") return all;
      if (t.mark !== ",") fail();
      t = next();
    }
  }

  try {
    const root = value(next(), 0);
    return text.slice(at).trim() === "" ? root : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** pointer is one token of a JSON Pointer (RFC 6901), escaped. */
export const pointer = (key) => "/" + key.replaceAll("~", "~0").replaceAll("/", "~1");
