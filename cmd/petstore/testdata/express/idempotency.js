const processedCallbacks = new Set();

app.post('/callbacks/webhook', (req, res) => {
  const { callback_id } = req.body;

  if (processedCallbacks.has(callback_id)) {
    return res.status(200).send('Already processed');
  }

  processedCallbacks.add(callback_id);
  // Process...
});
