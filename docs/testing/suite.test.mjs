// Twenty tests of what a server sends, all at once, each with an inbox of its own at the server's receiver.
//   PETSTORE=./petstore node --test docs/testing/suite.test.mjs
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';

let server, api, receiver;

// The first line on stdout says in JSON where the server is.
before(async () => {
  const quick = {
    ADDR: '127.0.0.1:0', RECEIVER_ADDR: '127.0.0.1:0', DATABASE_URL: ':memory:', STEP_DELAY: '10ms',
    RETRY_SCHEDULE: '50ms,100ms,200ms,400ms,800ms', CALLBACK_TIMEOUT: '2s',
  };
  server = spawn(process.env.PETSTORE, ['-ready-json'], { env: { ...process.env, ...quick }, stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface({ input: server.stdout }), 'line');
  ({ api_url: api, receiver_url: receiver } = JSON.parse(line));
});

after(async () => {
  server.kill();
  await once(server, 'exit');
});

async function call(method, url, body) {
  const response = await fetch(url, { method, body: body && JSON.stringify(body), headers: body && { 'Content-Type': 'application/json' } });
  assert.ok(response.ok, `${method} ${url}: ${response.status}`);
  return response.json();
}

// An inbox for one test, which answers as the steps say.
let inboxes = 0;
async function newInbox(...script) {
  const name = `test-${++inboxes}`;
  await call('PUT', `${receiver}/inboxes/${name}`, { script });
  return {
    url: `${receiver}/in/${name}`,
    received: (query) => call('GET', `${receiver}/inboxes/${name}/requests?${new URLSearchParams(query)}`),
  };
}

async function orderTo(inbox, metadata) {
  const order = await call('POST', `${api}/api/orders`, { product: 'dog-food', callback_url: inbox.url, metadata });
  return order.order_id;
}

describe('outages', { concurrency: true, timeout: 60_000 }, () => {
  const tests = [
    ['none', { delay: '1ms' }, 1],
    ['answers 500', { status: 500 }, 2],
    ['answers 500 three times', { status: 500, times: 3 }, 4],
    ['answers 404', { status: 404 }, 2],
    ['is busy', { status: 429, retry_after: 1 }, 2],
    ['is busy until a date', { retry_after: 1, retry_after_date: true }, 2],
    ['redirects', { redirect: '/elsewhere' }, 2],
    ['resets the connection', { drop: 'before' }, 2],
    ['resets it twice', { drop: 'before', times: 2 }, 3],
    ['hangs', { hang: true }, 2],
    ['is slow', { delay: '200ms' }, 1],
    ['answers slowly', { slow_body: '200ms' }, 1],
    ['answers much', { huge_body: 10_000_000 }, 1],
    ['breaks off after its 200', { truncate: 0 }, 1],
    ['answers no HTTP', { bad_http: 'garbage' }, 2],
    ['has endless headers', { bad_http: 'header' }, 2],
  ];
  for (const [name, step, attempts] of tests) {
    it(name, async () => {
      const inbox = await newInbox({ times: 1, by: 'attempt', ...step });
      const order = await orderTo(inbox, { test: name });
      const last = { 'body.order_id': order, 'body.status': 'completed' };
      const found = await inbox.received({ ...last, wait: '30s', count: attempts });
      assert.equal(found.timed_out, false);
      assert.equal(found.count, attempts);
      for (const attempt of found.items) assert.equal(attempt.body, found.items[0].body);
      for (const { body } of (await inbox.received()).items) assert.equal(JSON.parse(body).metadata.test, name);
    });
  }
});

describe('other work', { concurrency: true, timeout: 60_000 }, () => {
  const tests = [
    ['reports', () => ({ type: 'sales' })],
    ['images/process', () => ({ image_url: `${api}/docs/dog.png` })],
    ['payments', () => ({ amount: 100, provider: 'stripe' })],
  ];
  for (const [kind, body] of tests) {
    it(kind, async () => {
      const inbox = await newInbox();
      const { task_id } = await call('POST', `${api}/api/${kind}`, { ...body(), callback_url: inbox.url });
      const found = await inbox.received({ 'body.task_id': task_id, 'body.status': 'completed', wait: '30s' });
      assert.equal(found.timed_out, false);
    });
  }

  it('stops at 410', async () => {
    const inbox = await newInbox({ status: 410 });
    const order = await orderTo(inbox);
    const found = await inbox.received({ 'body.order_id': order, 'body.status': 'completed', wait: '30s' });
    assert.equal(found.count, 1);
  });
});
