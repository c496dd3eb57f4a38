// A file of its own, so that the page works under `Content-Security-Policy: default-src 'self'`.
SwaggerUIBundle({
  url: "openapi.json", // beside this page, whatever prefix it is served under
  dom_id: "#swagger-ui",
  plugins: [PetstorePlugin, StreamsPlugin({ socketIO: "/socket.io/" }), CallbacksPlugin({ receiver: "receiver/" })],
  deepLinking: true, // the address bar follows what is open, so that it can be sent to someone
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0, // schemas are listed, closed
  defaultModelExpandDepth: 3,
  validatorUrl: null, // asks nobody on the internet
});
