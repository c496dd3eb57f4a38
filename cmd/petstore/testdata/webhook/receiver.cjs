// The webhook receiver of the article, with what it leaves to its reader: isValidSignature, and that the two
// handlers of /callbacks/webhook run one after the other.
//
// It prints its URL, reads the webhook's secret from its input, and prints what it has processed.
const express = require('express');
const crypto = require('crypto');
const app = express();

app.use(express.json());

let secret = '';
process.stdin.on('data', (chunk) => { secret += chunk; });
process.stdin.on('end', () => { secret = secret.trim(); console.log('ready'); });

function isValidSignature(body, signature) {
  const expected = 'sha256=' + crypto.createHmac('sha256', secret).update(JSON.stringify(body)).digest('hex');
  return Buffer.byteLength(signature ?? '') === expected.length &&
    crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

app.post('/callbacks/webhook', (req, res, next) => {
  const signature = req.headers['x-api-signature'];
  if (!isValidSignature(req.body, signature)) {
    return res.status(401).send('Invalid');
  }
  next(); // Process
});

const processedCallbacks = new Set();

app.post('/callbacks/webhook', (req, res) => {
  const { callback_id } = req.body;

  if (processedCallbacks.has(callback_id)) {
    return res.status(200).send('Already processed');
  }

  processedCallbacks.add(callback_id);
  console.log(JSON.stringify(req.body)); // Process...
  res.status(200).send('OK');
});

const server = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/callbacks/webhook`);
});
