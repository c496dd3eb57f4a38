// Package origin decides which web pages may use a server from a browser. Programs that are no browsers may always.
package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is where a web page comes from (RFC 6454), normalised: the scheme and the host in
// lower case, and the port. It is comparable.
type Origin struct{ scheme, host, port string }

// Any is every origin.
var Any = Origin{scheme: "*"}

// Parse reads an origin, or * for [Any].
func Parse(text string) (Origin, error) {
	if text == "*" {
		return Any, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Host, "*") || !validPort(u.Port()) || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Origin{}, errors.New("want an origin, such as https://app.example.com, or *")
	}
	return Origin{u.Scheme, canonical(u.Hostname()), portOr(u.Port(), u.Scheme)}, nil
}

// ParseAll reads several.
func ParseAll(texts []string) (all []Origin, err error) {
	for _, text := range texts {
		page, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		all = append(all, page)
	}
	return all, nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// portOr is a port, or the one that a scheme implies.
func portOr(port, scheme string) string {
	if port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[scheme]
}

// serves reports whether a page is of the host that a request is for. A Host may leave out the
// port that the scheme implies, and a proxy may add it.
func (p Origin) serves(requestHost string) bool {
	asked := splitHost(requestHost)
	return p.host == asked.name && p.port == portOr(asked.port, p.scheme)
}

func (p Origin) isLocal() bool {
	ip, err := netip.ParseAddr(p.host)
	return p.host == "localhost" || err == nil && ip.IsLoopback()
}
