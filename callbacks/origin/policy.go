package origin

import (
	"net/http"
	"slices"
)

// Policy says which web pages may use a server. The zero value lets those that the server itself has served, at a loopback
// name or address.
type Policy struct {
	Hosts   Hosts    // of the server
	Public  Origin   // of the server, as browsers know it; the zero value where that is not known
	Allowed []Origin // of other pages
	Local   bool     // pages from this machine may, too: a frontend's development server
}

// Allow reports whether a request is for this server, and the page that it comes from may use it.
func (p Policy) Allow(r *http.Request) bool { return p.Hosts.Allow(r) && p.AllowPage(r) }

// AllowPage reports whether the page that a request comes from may use the server, if the request is for it.
func (p Policy) AllowPage(r *http.Request) bool {
	text := r.Header.Get("Origin")
	if text == "" || slices.Contains(p.Allowed, Any) {
		return true
	}
	page, err := Parse(text)
	if err != nil || page == Any {
		return false
	}
	return page == p.Public || slices.Contains(p.Allowed, page) || page.serves(r.Host) || p.Local && page.isLocal()
}

// Share lets the page that an allowed request comes from read the answer, and those headers of it
// (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). Without that, browsers keep the answers from other pages. But
// they send their requests all the same, if those look like a form's: so what writes has to be refused.
func Share(header http.Header, r *http.Request, exposed string) {
	page := r.Header.Get("Origin")
	if page == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", page)
	header.Set("Access-Control-Expose-Headers", exposed)
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		// A page that may use the server may send what its libraries add: traceparent, Authorization, …
		header.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		header.Set("Access-Control-Max-Age", "600")
	}
}
