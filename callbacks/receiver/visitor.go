package receiver

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// visitors are who may look at what came, and set what happens. A callback may come from anywhere.
type visitors struct {
	hosts   []string // names, in lower case
	origins []string
}

func newVisitors(o Options) visitors {
	var v visitors
	for _, host := range o.AllowedHosts {
		v.hosts = append(v.hosts, hostOf(host))
	}
	for _, origin := range o.AllowedOrigins {
		v.origins = append(v.origins, strings.ToLower(strings.TrimSuffix(origin, "/")))
	}
	return v
}

// allow returns what is wrong with a request for the receiver itself.
//
// The Host has to be this machine's: a page whose own name was made to resolve to this machine (DNS rebinding) still says that
// name. An address can't be rebound. The Origin, which every browser adds to what could change something, has to be the
// receiver's own, or one that was allowed.
func (v visitors) allow(r *http.Request) error {
	host := hostOf(r.Host)
	if !isLocal(host) && !slices.Contains(v.hosts, host) {
		return &problem{
			Status: http.StatusMisdirectedRequest, Code: codeHost,
			Detail: "The receiver shows itself under loopback names, addresses and the names in ALLOWED_HOSTS only.",
			Errors: []FieldError{{"Host", "is none of them"}},
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" && !v.mayUse(origin, r.Host) {
		return &problem{Status: http.StatusForbidden, Code: codeOrigin, Detail: "Pages of this origin may not use the receiver."}
	}
	return nil
}

func (v visitors) mayUse(origin, host string) bool {
	if slices.Contains(v.origins, strings.ToLower(origin)) {
		return true
	}
	page, err := url.Parse(origin)
	return err == nil && page.Host != "" && strings.EqualFold(page.Host, host)
}

// share lets a page of another origin that is allowed read the answer (https://fetch.spec.whatwg.org/#http-cors-protocol).
// It reports whether the request was but the browser's question whether it may.
func (v visitors) share(w http.ResponseWriter, r *http.Request) (preflight bool) {
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(v.origins, strings.ToLower(origin)) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions {
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	header.Set("Access-Control-Allow-Headers", "Content-Type, Last-Event-ID")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// hostOf is a Host without its port, in lower case.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// isLocal reports whether a host is a loopback name (RFC 6761, 6.3), an address, or missing, as no browser leaves it.
func isLocal(host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
