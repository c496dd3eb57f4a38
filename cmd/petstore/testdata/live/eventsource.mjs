// The article's EventSource code, against the server whose URL is the first argument.
import { EventSource as NodeEventSource } from 'eventsource';

const base = process.argv[2];

// Pages have an address, and Node has not.
class EventSource extends NodeEventSource {
  constructor(path) { super(new URL(path, base)); }
}

const seen = [];
function handleOrderUpdate(update) {
  seen.push(update);
  if (update.status !== 'processing') {
    eventSource.close();
    console.log(JSON.stringify(seen));
  }
}

// ---- from the article
const eventSource = new EventSource('/api/orders/stream');

eventSource.addEventListener('order-update', (event) => {
  const update = JSON.parse(event.data);
  handleOrderUpdate(update);
});
// ----

eventSource.addEventListener('open', () => {
  fetch(new URL('/api/orders', base), {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"product":"dog-food"}',
  });
}, { once: true });
