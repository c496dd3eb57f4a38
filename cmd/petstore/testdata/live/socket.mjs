// The article's Socket.IO code, against the server whose URL is the first argument.
import { io as connect } from 'socket.io-client';

const io = () => connect(process.argv[2]);

const progress = [];
function handleResult(result) {
  more(result).then(() => socket.close(), (err) => { console.error(err); process.exit(1); });
}

// ---- from the article
const socket = io('https://api.example.com');

socket.emit('process', { data: 'large dataset' });

socket.on('complete', (result) => {
  handleResult(result);
});
// ----

socket.on('progress', (update) => progress.push(update));

function check(ok, what) {
  if (!ok) throw new Error(what);
}

// more does what the article leaves out: acknowledgements, failures, subscriptions.
async function more(result) {
  check(result.status === 'completed' && result.report_id && result.result, `complete: ${JSON.stringify(result)}`);
  check(progress.length > 0 && progress[0].report_id === result.report_id, `progress: ${JSON.stringify(progress)}`);
  check(result.sequence > progress.length, 'the sequence');
  socket.off('complete');

  const failing = new Promise((resolve) => socket.once('failed', resolve)); // it may come in one payload with the acknowledgement
  const { data, error } = await socket.emitWithAck('process', { kind: 'order', product: 'cat-tree', quantity: 1000 });
  check(data && data.order_id && !error, `acknowledged: ${JSON.stringify(data)}`);
  const failed = await failing;
  check(failed.order_id === data.order_id && failed.error.code === 'OUT_OF_STOCK', `failed: ${JSON.stringify(failed)}`);

  const refused = await socket.emitWithAck('process', { kind: 'order', product: 'unicorn' });
  check(!refused.data && refused.error.status === 422 && refused.error.errors[0].field === 'product', `refused: ${JSON.stringify(refused)}`);

  socket.emit('process', { kind: 'order', product: 'unicorn' });
  const problem = await new Promise((resolve) => socket.once('error', resolve));
  check(problem.code === 'INVALID_REQUEST', `error: ${JSON.stringify(problem)}`);

  const again = new Promise((resolve) => socket.once('complete', resolve));
  await socket.emitWithAck('subscribe', result.task_id);
  check(JSON.stringify(await again) === JSON.stringify(result), 'a subscriber hears what was told');
}
