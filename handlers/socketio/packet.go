package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"unicode/utf8"
)

// packetType is the first character of an Engine.IO packet.
// Source: engine.io-protocol, "Protocol".
type packetType byte

const (
	packetOpen    packetType = '0'
	packetClose   packetType = '1'
	packetPing    packetType = '2'
	packetPong    packetType = '3'
	packetMessage packetType = '4'
	packetUpgrade packetType = '5'
	packetNoop    packetType = '6'
)

// separator stands between the packets of one polling body. It cannot occur
// inside a packet: JSON allows no bare control character.
const separator = 0x1e

// A packet is one Engine.IO packet. Of a binary one only the fact is kept, since
// its bytes are refused in any case.
type packet struct {
	typ    packetType
	data   []byte
	binary bool
}

var errPacket = errors.New("malformed Engine.IO packet")

// decodePacket reads a packet from a text frame or from one part of a polling
// body. The packet's data aliases text.
func decodePacket(text []byte) (packet, error) {
	if len(text) == 0 || !utf8.Valid(text) {
		return packet{}, errPacket
	}
	if text[0] == 'b' { // base64 of a binary message
		return packet{typ: packetMessage, binary: true}, nil
	}
	typ := packetType(text[0])
	if typ < packetOpen || typ > packetNoop {
		return packet{}, errPacket
	}
	return packet{typ: typ, data: text[1:]}, nil
}

// splitPayload yields the encoded packets of one polling body.
func splitPayload(body []byte) iter.Seq[[]byte] {
	return bytes.SplitSeq(body, []byte{separator})
}

// joinPayload is the polling body that carries the encoded packets.
func joinPayload(packets [][]byte) []byte {
	return bytes.Join(packets, []byte{separator})
}

// openPacket is the first packet of a session. Source: engine.io-protocol, "Handshake".
func openPacket(sid string, upgrades []string, opts Options) []byte {
	handshake, err := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int      `json:"maxPayload"`
	}{sid, upgrades, opts.PingInterval.Milliseconds(), opts.PingTimeout.Milliseconds(), opts.MaxPayload})
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return append([]byte{byte(packetOpen)}, handshake...)
}
