// A server that takes signed updates. What they are is for the generated types to say.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

// Route says how requests to a path are signed, and what is done with their body.
export type Route = { secret: string; take: (body: unknown, headers: IncomingHttpHeaders) => void };

// Waiter is a promise that is kept by whoever hears of what it waits for.
export function waiter(): { heard: Promise<void>; hear: () => void } {
  let hear = () => {};
  const heard = new Promise<void>((resolve) => (hear = resolve));
  return { heard, hear };
}

export async function receive(routes: Record<string, Route>): Promise<{ url: string; close: () => void }> {
  const server = createServer(async (request, response) => {
    const route = routes[request.url ?? ""];
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const expected = Buffer.from(`sha256=${createHmac("sha256", route?.secret ?? "").update(body).digest("hex")}`);
    const given = Buffer.from(String(request.headers["x-callback-signature"]));
    if (!route || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      response.writeHead(401).end();
      return;
    }
    route.take(JSON.parse(body.toString()), request.headers);
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
