// Verifies what comes by its input, one JSON object a line, with the library of Standard Webhooks.
const { Webhook } = require('standardwebhooks');

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { secret, raw, headers, body } = JSON.parse(line);
  try {
    const update = new Webhook(secret, raw ? { format: 'raw' } : {}).verify(body, headers);
    console.log(update.callback_id);
  } catch (err) {
    console.log(err.name);
  }
});
