package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// messageType is the first character of a Socket.IO packet.
// Source: socket.io-protocol, "Exchange protocol".
type messageType byte

const (
	messageConnect      messageType = '0'
	messageDisconnect   messageType = '1'
	messageEvent        messageType = '2'
	messageAck          messageType = '3'
	messageConnectError messageType = '4'
	messageBinaryEvent  messageType = '5'
	messageBinaryAck    messageType = '6'
)

const (
	mainNamespace = "/"

	maxNamespace   = 256 // bytes in a namespace's name
	maxAckDigits   = 15  // digits that a JavaScript number holds exactly
	maxArgs        = 256 // arguments of one event: each costs more memory than it has bytes
	maxAttachments = 10  // binary attachments of one packet, as in the reference parser
	noID           = -1
)

// A message is a Socket.IO packet that a client sent.
type message struct {
	typ         messageType
	namespace   string
	id          int64             // of the acknowledgement, or noID
	attachments int               // binary frames that follow
	event       string            // event: its name
	args        []json.RawMessage // event: its arguments
}

var errMessage = errors.New("malformed Socket.IO packet")

// reservedEvents can't be sent as events, since clients raise them themselves;
// the client's decoder treats one as a malformed packet and disconnects.
var reservedEvents = []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}

// decodeMessage reads
//
//	<type>[<attachments>-][<namespace>,][<id>][<JSON>]
//
// as only clients send it. Source: socket.io-protocol, "Packet encoding".
func decodeMessage(data []byte) (message, error) {
	if len(data) == 0 {
		return message{}, errMessage
	}
	m := message{typ: messageType(data[0]), namespace: mainNamespace, id: noID}
	rest := data[1:]
	if m.typ == messageBinaryEvent || m.typ == messageBinaryAck {
		digits, after, found := bytes.Cut(rest, []byte{'-'})
		n, err := strconv.ParseUint(string(digits[:min(len(digits), 3)]), 10, 8)
		if !found || err != nil || len(digits) > 2 || n < 1 || n > maxAttachments {
			return message{}, errMessage
		}
		m.attachments, rest = int(n), after
	}
	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, []byte{','})
		if len(name) > maxNamespace {
			return message{}, errMessage
		}
		m.namespace, rest = string(name), after
	}
	digits := 0
	for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
		digits++
	}
	if digits > maxAckDigits {
		return message{}, errMessage
	}
	if digits > 0 {
		m.id, _ = strconv.ParseInt(string(rest[:digits]), 10, 64)
	}
	return m, m.decodePayload(rest[digits:])
}

// decodePayload reads the JSON part, which each type of message wants otherwise.
func (m *message) decodePayload(payload []byte) error {
	switch m.typ {
	case messageConnect: // nothing here asks who the client is
		if len(payload) > 0 && (payload[0] != '{' || !json.Valid(payload)) {
			return errMessage
		}
		return nil
	case messageDisconnect:
		if len(payload) > 0 {
			return errMessage
		}
		return nil
	case messageEvent, messageBinaryEvent:
		return m.decodeEvent(payload)
	case messageAck, messageBinaryAck:
		if m.id == noID {
			return errMessage
		}
		return m.decodeArgs(payload)
	default: // a connect error comes from servers only
		return errMessage
	}
}

func (m *message) decodeArgs(payload []byte) error {
	if len(payload) == 0 || payload[0] != '[' || !json.Valid(payload) {
		return errMessage
	}
	m.args = []json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	_, _ = dec.Token() // the bracket; what is valid gives no errors
	for dec.More() {
		var arg json.RawMessage
		if len(m.args) > maxArgs || dec.Decode(&arg) != nil { // an event's name comes on top
			return errMessage
		}
		m.args = append(m.args, arg)
	}
	return nil
}

func (m *message) decodeEvent(payload []byte) error {
	if err := m.decodeArgs(payload); err != nil {
		return err
	}
	if len(m.args) == 0 {
		return errMessage
	}
	name := m.args[0]
	m.args = m.args[1:]
	switch {
	case name[0] == '"':
		if json.Unmarshal(name, &m.event) != nil || slices.Contains(reservedEvents, m.event) {
			return errMessage
		}
	case name[0] == '-' || '0' <= name[0] && name[0] <= '9': // JavaScript lets a number be a name
		m.event = string(name)
	default:
		return errMessage
	}
	return nil
}

// Packets of the server: an Engine.IO message packet that carries a Socket.IO one.

var disconnectPacket = []byte{byte(packetMessage), byte(messageDisconnect)}

func encodeConnect(sid string) []byte {
	return []byte(`40{"sid":"` + sid + `"}`) // a sid needs no escaping
}

// encodeConnectError refuses a namespace that is not offered.
func encodeConnectError(namespace string) []byte {
	return []byte("44" + namespace + `,{"message":"Invalid namespace"}`)
}

func encodeEvent(event string, args []any) ([]byte, error) {
	if slices.Contains(reservedEvents, event) {
		return nil, fmt.Errorf("socketio: %q is reserved and can't be emitted", event)
	}
	dst, err := appendJSON([]byte("42["), event)
	if err != nil {
		return nil, err
	}
	for i, arg := range args {
		dst, err = appendJSON(append(dst, ','), arg)
		if err != nil {
			return nil, fmt.Errorf("socketio: encoding argument %d of %q: %w", i, event, err)
		}
	}
	return append(dst, ']'), nil
}

func encodeAck(id int64, args []any) ([]byte, error) {
	dst := fmt.Appendf(nil, "43%d[", id)
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, arg); err != nil {
			return nil, fmt.Errorf("socketio: encoding argument %d of an acknowledgement: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

var errInvalidJSON = errors.New("json.RawMessage holds no valid JSON")

// appendJSON appends v's JSON. A json.RawMessage is taken as it is, but checked:
// a bare 0x1e in it would break a polling body in two.
func appendJSON(dst []byte, v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		if !json.Valid(raw) {
			return nil, errInvalidJSON
		}
		return append(dst, raw...), nil
	}
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), nil
}
