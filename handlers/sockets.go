package handlers

import (
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"petstore/callbacks/origin"
	"petstore/handlers/socketio"
)

// acknowledgement answers an event of a Socket.IO client that wants to know. One
// of the two is set: `socket.emit('process', {…}, ({ data, error }) => …)`.
type acknowledgement struct {
	Data  any      `json:"data,omitempty"`
	Error *problem `json:"error,omitempty"`
}

// newSocketIO serves conversations over Socket.IO. What was wrong with an event
// goes into its acknowledgement; a client that wants none gets the event "error".
func newSocketIO(l *live, pages origin.Policy) *socketio.Server {
	options := socketio.Options{CheckOrigin: pages.Allow, MaxPayload: maxBody + 4096, MaxSessions: maxStreams, Budget: l.bytes}
	return socketio.New(options, func(s *socketio.Socket) {
		session := l.newSession(s.Context(), func(event string, data jsontext.Value) error {
			return s.Emit(event, json.RawMessage(data))
		})
		s.OnDisconnect(func(socketio.Reason) { session.close() })
		handle := func(event string) socketio.Handler {
			return func(args []json.RawMessage, ack socketio.Ack) {
				session.receive(event, first(args), func(answer any, p *problem) {
					err := ack(acknowledgement{Data: answer, Error: p})
					if p != nil && errors.Is(err, socketio.ErrNoAck) {
						_ = s.Emit(eventError, p) // at worst it has gone
					}
				})
			}
		}
		for _, event := range []string{eventProcess, eventSubscribe, eventUnsubscribe} {
			s.On(event, handle(event))
		}
		s.OnOther(handle("")) // which is none
	})
}

func first(args []json.RawMessage) jsontext.Value {
	if len(args) == 0 {
		return nil
	}
	return jsontext.Value(args[0])
}
