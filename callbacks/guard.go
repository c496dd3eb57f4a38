package callbacks

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrForbiddenAddress means that an address is not on the public Internet.
var ErrForbiddenAddress = errors.New("callbacks: address is not public")

// ssrfGuard refuses the special-purpose registries of IANA (loopback, private, link-local with its cloud metadata,
// shared, documentation, multicast…) and every IPv6 address outside the global unicast range, so also IPv4-mapped,
// NAT64 and unique local ones. 168.63.129.16 looks public, and is Azure's own inside each of its machines
// (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16); other clouds' are in the registries.
var ssrfGuard = ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))

// Guard refuses to connect to an address that isn't public, with [ErrForbiddenAddress]. Put it into
// [net.Dialer.Control]: there it sees the address that is really dialled, after DNS, for each one tried. Checking
// the URL beforehand can't replace it, since a name may resolve to something else a moment later (DNS rebinding).
func Guard(network, address string, conn syscall.RawConn) error {
	if err := ssrfGuard.Safe(network, address, conn); err != nil {
		return fmt.Errorf("%w: %w", ErrForbiddenAddress, err)
	}
	return nil
}

// public reports whether Guard lets ip pass.
func public(ip netip.Addr) bool { return ssrfGuard.SafeAddr(ip) == nil }
