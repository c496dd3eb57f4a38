package socketio

import (
	"context"

	"github.com/coder/websocket"
)

const (
	probePing     = "2probe"
	probePong     = "3probe"
	upgradePacket = "5"
	maxProbe      = 64 // bytes of a message before the upgrade
)

// beginUpgrade reserves the session for ws. One WebSocket may try at a time.
func (s *session) beginUpgrade(ws *wsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ws != nil || s.probe != nil {
		return false
	}
	s.probe = ws
	return true
}

// upgrade moves the session from polling to ws, if the client goes through with
// it, and then reads from ws. Source: engine.io-protocol, "Upgrade".
func (s *session) upgrade(ws *wsConn) {
	ctx, cancel := context.WithTimeout(context.Background(), s.srv.opts.UpgradeTimeout)
	ws.conn.SetReadLimit(maxProbe)
	agreed := readPacket(ctx, ws, probePing) && s.acceptProbe(ctx, ws) && readPacket(ctx, ws, upgradePacket)
	cancel()
	if agreed {
		ws.conn.SetReadLimit(int64(s.srv.opts.MaxPayload))
		s.switchTo(ws)
		s.read(ws)
		return
	}
	s.mu.Lock()
	s.probe, s.probed = nil, false
	s.mu.Unlock()
	_ = ws.conn.CloseNow() // the session goes on polling
}

// readPacket reads the next packet, and reports whether it is the one that is due.
func readPacket(ctx context.Context, ws *wsConn, due string) bool {
	typ, data, err := ws.conn.Read(ctx)
	return err == nil && typ == websocket.MessageText && string(data) == due
}

// acceptProbe ends the GET that is waiting, and answers the probe.
func (s *session) acceptProbe(ctx context.Context, ws *wsConn) bool {
	s.mu.Lock()
	closed := s.closed
	s.probed = true
	if !closed {
		s.wakeLocked()
	}
	s.mu.Unlock()
	return !closed && ws.conn.Write(ctx, websocket.MessageText, []byte(probePong)) == nil
}

// switchTo makes ws the transport. By now the client has had the answers to its
// last GET and POST: what it sends next comes after what it has sent, and what
// is still queued here comes after what it has received. Of a session that has
// been closed meanwhile, the client learns on ws, the only place where it looks.
func (s *session) switchTo(ws *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil { // it should have ended; it will be answered 400
		s.wakeLocked()
	}
	s.ws, s.probe, s.probed = ws, nil, false
	if s.closed || len(s.out) > 0 {
		s.wakeLocked()
	}
}
