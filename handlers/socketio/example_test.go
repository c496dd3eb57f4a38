package socketio_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"

	"petstore/handlers/socketio"
)

// A server that greets, and what goes over the wire when a client connects and emits
// an event with an acknowledgement.
func Example() {
	srv := socketio.New(socketio.Options{}, func(s *socketio.Socket) {
		s.On("subscribe", func(args []json.RawMessage, ack socketio.Ack) {
			var task string
			if len(args) != 1 || json.Unmarshal(args[0], &task) != nil {
				_ = ack(map[string]string{"error": "a task, please"})
				return
			}
			_ = ack(true)
			_ = s.Emit("progress", json.RawMessage(`{"progress":50}`))
		})
		_ = s.Emit("welcome")
	})
	web := httptest.NewServer(srv)
	defer web.Close()

	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, web.URL+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	receive := func() {
		_, packet, err := conn.Read(ctx)
		before, _, _ := strings.Cut(string(packet), `"sid"`) // which is another one each time
		fmt.Println("<", before, err)
	}
	send := func(packet string) {
		fmt.Println(">", packet)
		_ = conn.Write(ctx, websocket.MessageText, []byte(packet))
	}
	receive()
	send(`40{"token":"123"}`)
	receive()
	receive()
	send(`421["subscribe","task_7"]`)
	receive()
	receive()
	_ = conn.Close(websocket.StatusNormalClosure, "")
	_ = srv.Close(ctx)
	// Output:
	// < 0{ <nil>
	// > 40{"token":"123"}
	// < 40{ <nil>
	// < 42["welcome"] <nil>
	// > 421["subscribe","task_7"]
	// < 431[true] <nil>
	// < 42["progress",{"progress":50}] <nil>
}
