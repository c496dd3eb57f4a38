package origin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Hosts are the names of this server: what a Host header may say (RFC 9110, section 7.2). A
// page of any other name that was made to resolve to this machine (DNS rebinding) is, to its
// browser, a page of this server's; only the Host tells that it isn't. The zero value has the
// loopback names and addresses.
type Hosts struct {
	names      []hostPort
	anyAddress bool
}

// hostPort is a host with a port, "" for any.
type hostPort struct{ name, port string }

// NewHosts returns the hosts of a server that listens at addr, host:port; public is the URL
// by which clients know it, and others are more names, such as api.example.com or
// api.example.com:8443. All but addr may be empty.
//
// A server that listens at all addresses can be asked by any: an address cannot be
// rebound.
func NewHosts(addr, public string, others ...string) Hosts {
	var h Hosts
	if name, _, err := net.SplitHostPort(addr); err == nil {
		ip, err := netip.ParseAddr(name)
		h.anyAddress = name == "" || err == nil && ip.IsUnspecified()
		if !h.anyAddress {
			h.names = append(h.names, hostPort{name: canonical(name)})
		}
	}
	if u, err := url.Parse(public); err == nil && u.Host != "" {
		h.names = append(h.names, hostPort{name: canonical(u.Hostname())})
	}
	for _, other := range others {
		h.names = append(h.names, splitHost(other))
	}
	return h
}

// Allow reports whether a request is for this server. What has no Host (HTTP/1.0) was sent by
// no browser.
func (h Hosts) Allow(r *http.Request) bool { return r.Host == "" || h.has(splitHost(r.Host)) }

func (h Hosts) has(asked hostPort) bool {
	ip, err := netip.ParseAddr(asked.name)
	switch {
	case err == nil && (h.anyAddress || ip.Unmap().IsLoopback()):
		return true
	case asked.name == "localhost" || strings.HasSuffix(asked.name, ".localhost"): // RFC 6761, section 6.3
		return true
	}
	return slices.ContainsFunc(h.names, func(own hostPort) bool {
		return own.name == asked.name && (own.port == "" || own.port == asked.port)
	})
}

func splitHost(text string) hostPort {
	name, port, err := net.SplitHostPort(text)
	if err != nil {
		name, port = text, ""
	}
	return hostPort{canonical(name), port}
}

// canonical writes a host's name in one way: case and the dot of a full name don't count, an
// IPv6 address has brackets in some places only, and browsers send Punycode for other letters.
func canonical(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.String()
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return ascii
	}
	return name
}
