package handlers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

type pageHandlers struct {
	receiverURL string
	lab         http.Handler
}

// index greets whoever opens the server's address: a browser with the lab, curl with a text.
func (h pageHandlers) index(c *gin.Context) error {
	c.Writer.Header().Add("Vary", "Accept")
	if strings.Contains(c.GetHeader("Accept"), "text/html") {
		h.lab.ServeHTTP(c.Writer, c.Request)
		return nil
	}
	receiver, watch, received := h.receiverURL, ", and watch its callbacks arrive in the server's terminal", ""
	if receiver == "" {
		receiver, watch = "https://client.example", ", with a URL of yours that it calls back"
	} else {
		received = "What the receiver got:        " + receiver + "/received\n"
	}
	c.String(http.StatusOK, `Petstore: an API that answers at once, works in the background, and calls you back.

Place an order%[3]s:

  curl -i http://%[1]s/api/orders -H 'Content-Type: application/json' \
       -d '{"product":"dog-food","callback_url":"%[2]s/callbacks/order-status"}'

The lab, in a browser:        http://%[1]s/
%[4]sEvery callback, every try:    http://%[1]s/api/callbacks
The API, to try out:          http://%[1]s/docs/
The contract:                 http://%[1]s/openapi.yaml
Streams and sockets:          http://%[1]s/asyncapi.yaml
`, c.Request.Host+prefixOf(c), receiver, watch, received)
	return nil
}
