package senders

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what the name server knows: unresolved.grade.test fails at first, private.grade.test is this machine.
const zone = "grade.test"

// nameServer answers for the zone.
type nameServer struct {
	host [4]byte

	mu     sync.Mutex
	broken int       // queries for the unresolved name that failed
	heals  time.Time // when it can be resolved; zero while nobody has asked
}

// startNames starts the name server. It serves until the returned function is called.
func (g *grader) startNames() (stop func(), err error) {
	ip := net.ParseIP(g.Host).To4()
	if ip == nil {
		return nil, fmt.Errorf("names lead to an IPv4 address only, not to %s", g.Host)
	}
	g.names = &nameServer{host: [4]byte(ip)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		g.names.serve(g.DNS)
	}()
	return func() {
		g.DNS.Close()
		<-served
	}, nil
}

// unresolvedFirst gives a URL whose name cannot be resolved at first.
func unresolvedFirst(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(in.address)
	if err != nil {
		return fmt.Errorf("opening an inbox: %w", err)
	}
	in.address = net.JoinHostPort("unresolved."+zone, port)
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool { return in.endAccepted(1) })
	if !g.names.asked() {
		return errors.New("the sender does not ask the name server of -dns")
	}
	return nil
}

func (s *nameServer) asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken > 0
}

// serve answers until conn is closed.
func (s *nameServer) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if query.Unpack(buffer[:n]) != nil || len(query.Questions) != 1 {
			continue
		}
		if packed, err := s.reply(query).Pack(); err == nil {
			_, _ = conn.WriteTo(packed, from) // Lost packets are asked for again.
		}
	}
}

func (s *nameServer) reply(query dnsmessage.Message) *dnsmessage.Message {
	question := query.Questions[0]
	reply := &dnsmessage.Message{Questions: query.Questions}
	reply.ID, reply.Response, reply.RecursionDesired, reply.RecursionAvailable = query.ID, true, query.RecursionDesired, true
	name, inZone := strings.CutSuffix(strings.ToLower(question.Name.String()), "."+zone+".")
	switch {
	case !inZone:
		reply.RCode = dnsmessage.RCodeRefused
	case name == "unresolved" && s.fails():
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
		reply.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: s.host}}}
	}
	return reply
}

// fails reports whether the unresolved name still is: for downTime from the first query on.
func (s *nameServer) fails() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heals.IsZero() {
		s.heals = time.Now().Add(downTime)
	}
	if time.Now().Before(s.heals) {
		s.broken++
		return true
	}
	return false
}
