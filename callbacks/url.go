package callbacks

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const maxURL = 2048

// Policy says where callbacks, and what else a client has this side dial, may go. The zero value is for production:
// https, and to the public Internet only.
type Policy struct {
	// PlainHTTP allows URLs that are not https.
	PlainHTTP bool
	// PrivateAddresses allows one's own machine and network.
	PrivateAddresses bool
}

// AllowsScheme reports whether a URL of that scheme is encrypted, or need not be.
func (p Policy) AllowsScheme(scheme string) bool { return scheme != "http" || p.PlainHTTP }

// DevelopmentPolicy allows all.
func DevelopmentPolicy() Policy { return Policy{PlainHTTP: true, PrivateAddresses: true} }

// CheckURL returns nil if callbacks may be sent to raw: an absolute http or https URL of at most 2,048 bytes,
// without credentials, fragment or control characters. Unless the policy allows it, it must be https, and its host must
// not be localhost or the literal of an address that isn't public, in any spelling that a resolver might take for one
// (127.1, 0177.0.0.1, 2130706433, [::ffff:127.0.0.1]). Other names are decided by [Guard] when they are dialled.
//
// The error's text says what is wrong with the URL and is meant for the client.
func CheckURL(raw string, p Policy) error {
	if len(raw) > maxURL {
		return errors.New("must be at most 2048 bytes long")
	}
	for _, c := range []byte(raw) {
		if c <= ' ' || c == 0x7f {
			return errors.New("must not contain spaces or control characters; a space is written %20")
		}
	}
	scheme, _, _ := strings.Cut(raw, "://")
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return errors.New("must be an absolute URL that begins with http:// or https://")
	}
	u, err := url.Parse(raw)
	if escape, ok := errors.AsType[url.EscapeError](err); ok {
		return fmt.Errorf("must not contain %s: a percent sign itself is written %%25", strconv.QuoteToASCII(string(escape)))
	}
	if err != nil {
		return errors.New("must have a valid host name, and a number as its port if it has one")
	}
	switch {
	case u.Hostname() == "":
		return errors.New("must have a host after " + scheme + "://")
	case u.User != nil:
		return errors.New("must not contain credentials")
	case strings.Contains(raw, "#"):
		return errors.New("must not have a fragment, which begins with #")
	case !validPort(u):
		return errors.New("must have a port from 1 to 65535")
	}
	return checkHost(u, p)
}

// EscapeQuery returns the query of a URL as it goes on the wire: what no query may have (RFC 3986, section 3.4) is
// percent-encoded, but for brackets, which servers take. Browsers leave more as it is, to which Tomcat answers 400.
func EscapeQuery(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

func checkHost(u *url.URL, p Policy) error {
	host, err := asciiHost(u.Hostname())
	if err != nil || host == "" {
		return errors.New("must have a valid host name")
	}
	if !p.AllowsScheme(u.Scheme) {
		return errors.New("must be https in production")
	}
	if p.PrivateAddresses {
		return nil
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return errors.New("must not be a private address in production")
	}
	if ip, ok := parseAddress(host); ok && !public(ip) {
		return errors.New("must not be a private address in production")
	}
	return nil
}

// asciiHost returns the host in lower case, as it will be looked up: internationalised names in Punycode, without
// the dot of a fully qualified one.
func asciiHost(host string) (string, error) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, c := range []byte(host) {
		if c >= utf8.RuneSelf {
			return idna.Lookup.ToASCII(host)
		}
	}
	return host, nil
}

// parseAddress reads an IP address literally, or an IPv4 address as inet_aton does (POSIX): one to four parts, each
// decimal, octal after 0 or hexadecimal after 0x, the last one filling what is left.
func parseAddress(host string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var address uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		if n >= 1<<bits {
			return netip.Addr{}, false
		}
		address = address<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}), true
}
