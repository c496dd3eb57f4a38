// A server that takes signed updates. What they are is for the generated types to say.
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

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
    try {
      if (!route) throw new Error("nothing is expected here");
      const body = new Webhook(route.secret).verify(Buffer.concat(pieces), request.headers as Record<string, string>);
      route.take(body, request.headers);
      response.writeHead(200).end();
    } catch {
      response.writeHead(401).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
