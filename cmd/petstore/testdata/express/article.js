const express = require('express');
const crypto = require('crypto');
const app = express();

app.use(express.json());

// Verify requests come from trusted sources
function verifyCallback(req, res, next) {
  const signature = req.headers['x-callback-signature'];
  const payload = JSON.stringify(req.body);

  const expected = crypto
    .createHmac('sha256', process.env.CALLBACK_SECRET)
    .update(payload)
    .digest('hex');

  if (signature !== `sha256=${expected}`) {
    return res.status(401).send('Invalid signature');
  }

  next();
}

// Callback endpoint
app.post('/callbacks/order-status', verifyCallback, (req, res) => {
  const { order_id, status, result } = req.body;

  if (status === 'completed') {
    // Update order in database
    updateOrder(order_id, { status: 'completed', result });

    // Notify user
    sendNotification(order_id, 'Your order is ready!');
  } else if (status === 'failed') {
    updateOrder(order_id, { status: 'failed', error: result.error });
    sendNotification(order_id, 'Order processing failed');
  }

  res.status(200).send('OK');
});
