package bounds

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// TestPlaces (security 18): however many one address wants, others get in.
func TestPlaces(t *testing.T) {
	p := NewPlaces(100)
	var give func()
	taken := 0
	for n := range 200 { // of one network of IPv6 as of one address
		if release := p.Take(fmt.Sprintf("[2001:db8::%d]:1", n)); release != nil {
			taken, give = taken+1, release
		}
	}
	if taken != 80 {
		t.Errorf("one address has %d of 100 places, want 80", taken)
	}
	for _, other := range []string{"192.0.2.1:1", "192.0.2.2:1", "[2001:db8:0:1::1]:1"} {
		if p.Take(other) == nil {
			t.Errorf("%s gets no place", other)
		}
	}
	if p.Take("[2001:db8::1]:1") != nil {
		t.Error("the first gets one more than its share")
	}
	before := p.Taken()
	give()
	if p.Taken() != before-1 {
		t.Error("a place is not given back")
	}
}

// TestListener (security 10): connections beyond are closed, and those that end make room.
func TestListener(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan net.Addr, 10)
	l := Listen(plain, NewPlaces(2), func(client net.Addr) { refused <- client })
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	dial()
	first := <-accepted
	dial()
	<-accepted
	beyond := dial()
	if <-refused; !closed(beyond) {
		t.Error("a connection beyond is open")
	}
	if err := errors.Join(first.Close(), first.Close()); err == nil {
		t.Error("it can be closed twice without an error")
	}
	dial()
	<-accepted // its place
}

func closed(conn net.Conn) bool {
	_, err := conn.Read(make([]byte, 1))
	return err != nil
}

// TestLoad (security 4): what is large finds no room, what is small does, and all is given back.
func TestLoad(t *testing.T) {
	budget := NewBytes(10_000)
	large, release, err := budget.ReadAll(strings.NewReader(strings.Repeat("x", 12_000)))
	if err != nil || len(large) != 12_000 || budget.Used() != 12_000-Free {
		t.Fatalf("read %d bytes, %v; %d are taken", len(large), err, budget.Used())
	}
	if _, _, err := budget.ReadAll(strings.NewReader(strings.Repeat("x", 12_000))); !errors.Is(err, ErrFull) {
		t.Errorf("a second one: %v", err)
	}
	if _, free, err := budget.ReadAll(strings.NewReader(strings.Repeat("x", Free))); err != nil {
		t.Errorf("a small one: %v", err)
	} else {
		free()
	}
	if _, _, err := budget.ReadAll(io.MultiReader(strings.NewReader(strings.Repeat("x", 6000)), brokenReader{})); errors.Is(err, ErrFull) || err == nil {
		t.Errorf("one that breaks off: %v", err)
	}
	release()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are still taken", budget.Used())
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
