package receiver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"petstore/callbacks"
)

// Targets are where requests may be passed on to, beside this machine itself. The zero Targets are nowhere else: a
// web page, or whoever reaches the receiver, must not be able to reach through it what they can't reach themselves.
type Targets struct {
	// Public allows what [callbacks.Guard] does: the public Internet.
	Public bool
	// Networks are allowed besides, such as 172.17.0.0/16.
	Networks []netip.Prefix
}

// ParseTargets reads a list such as "public,172.17.0.0/16". An empty one is the zero Targets.
func ParseTargets(list string) (t Targets, err error) {
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if item == "public" {
			t.Public = true
			continue
		}
		network, err := netip.ParsePrefix(item)
		if err != nil {
			return Targets{}, fmt.Errorf("%q: want public, or networks such as 172.17.0.0/16", item)
		}
		t.Networks = append(t.Networks, network)
	}
	return t, nil
}

var errTarget = errors.New("receiver: requests may not be passed on to this address")

// parse reads a URL, and refuses one whose host is an address that is not allowed. Names are decided on when they are
// dialled. The error is meant for the client.
func (t Targets) parse(raw string) (*url.URL, error) {
	if err := callbacks.CheckURL(raw, callbacks.DevelopmentPolicy()); err != nil {
		return nil, err
	}
	target, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("must be a valid URL")
	}
	if ip, err := netip.ParseAddr(target.Hostname()); err == nil && t.check("tcp", net.JoinHostPort(ip.String(), "80"), nil) != nil {
		return nil, errors.New("must be on this machine, or where FORWARD_ALLOW lets it go")
	}
	return target, nil
}

// check is called with every address before it is dialled.
func (t Targets) check(network, address string, conn syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errTarget
	}
	ip := to.Addr().Unmap()
	if ip.IsLoopback() {
		return nil
	}
	for _, allowed := range t.Networks {
		if allowed.Contains(ip) {
			return nil
		}
	}
	if t.Public && callbacks.Guard(network, address, conn) == nil {
		return nil
	}
	return errTarget
}

// dial connects to the host of a URL.
func (t Targets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: t.check}
	return dialer.DialContext(ctx, network, address)
}
