// Runs the article's handlers as they are printed, and tells on standard output what they do, a line of JSON each.
const fs = require('fs');
const path = require('path');

const tell = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

// Runs a file of the article with these names, and returns its app.
function run(source, names) {
  return new Function(...Object.keys(names), source + '\nreturn app;')(...Object.values(names));
}

const read = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8');

// What the article leaves to its reader.
const app = run(read('article.js'), {
  require,
  process,
  updateOrder: (order_id, change) => tell('updateOrder', { order_id, ...change }),
  sendNotification: (order_id, text) => tell('sendNotification', { order_id, text }),
});

run(read('idempotency.js').replace('// Process...', `processOnce(req.body); res.status(200).send('OK');`), {
  app,
  processOnce: ({ order_id, status }) => tell('processOnce', { order_id, status }),
});

const server = app.listen(0, '127.0.0.1', () => tell('listen', { url: `http://127.0.0.1:${server.address().port}` }));
