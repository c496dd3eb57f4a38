package bounds

import (
	"context"
	"time"

	"github.com/coder/websocket"
)

// messagePatience is how long a message may take to come, once it has begun.
const messagePatience = 30 * time.Second

// ReadMessage reads a message from a WebSocket, for whose beginning it waits as long as ctx
// lasts. Its bytes are taken of the budget until release is called. After an error, ErrFull
// among them, the connection is of no use any more.
func (b *Bytes) ReadMessage(ctx context.Context, conn *websocket.Conn) (typ websocket.MessageType, data []byte, release func(), err error) {
	typ, r, err := conn.Reader(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	late := time.AfterFunc(messagePatience, func() { _ = conn.CloseNow() })
	defer late.Stop()
	data, release, err = b.ReadAll(r)
	return typ, data, release, err
}
