package bounds

import (
	"net"
	"net/netip"
	"sync"
)

// Places are what clients can take a number of, such as connections. However many clients
// of one address want one, something is left for others: an address has at most four times
// as many as are free. Safe for concurrent use.
type Places struct {
	limit int

	mu    sync.Mutex
	taken int
	by    map[string]int // address → places
}

// NewPlaces returns limit places.
func NewPlaces(limit int) *Places { return &Places{limit: limit, by: map[string]int{}} }

// Take takes a place for a client, whose address is ip:port as of http.Request.RemoteAddr.
// release gives it back, and must be called once; it is nil if there is no place for that
// address.
func (p *Places) Take(client string) (release func()) {
	address := network(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[address] >= 4*(p.limit-p.taken) {
		return nil
	}
	p.taken++
	p.by[address]++
	return func() { p.give(address) }
}

func (p *Places) give(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[address]--; p.by[address] == 0 {
		delete(p.by, address)
	}
}

// Taken is how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// network is what one client has to itself: an IPv4 address, or an IPv6 network of 64 bits
// (RFC 6177).
func network(client string) string {
	host, _, err := net.SplitHostPort(client)
	if err != nil {
		return client
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // 64 is within an IPv6 address
	return prefix.String()
}
