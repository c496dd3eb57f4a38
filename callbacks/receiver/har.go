package receiver

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The parts of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/). Members that begin with an underscore are
// extensions.
type (
	har struct {
		Log harLog `json:"log"`
	}
	harLog struct {
		Version string     `json:"version"`
		Creator harCreator `json:"creator"`
		Entries []harEntry `json:"entries"`
	}
	harCreator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	harEntry struct {
		StartedDateTime time.Time   `json:"startedDateTime"`
		Time            float64     `json:"time"`
		Request         harRequest  `json:"request"`
		Response        harResponse `json:"response"`
		Cache           struct{}    `json:"cache"`
		Timings         harTimings  `json:"timings"`
		Number          int64       `json:"_number"`
	}
	harRequest struct {
		Method      string    `json:"method"`
		URL         string    `json:"url"`
		HTTPVersion string    `json:"httpVersion"`
		Cookies     []Header  `json:"cookies"`
		Headers     []Header  `json:"headers"`
		Trailers    []Header  `json:"_trailers,omitempty"`
		QueryString []Header  `json:"queryString"`
		PostData    *postData `json:"postData,omitempty"`
		HeadersSize int       `json:"headersSize"`
		BodySize    int       `json:"bodySize"`
	}
	postData struct {
		MimeType string   `json:"mimeType"`
		Params   []Header `json:"params"`
		Text     string   `json:"text"`
		Encoding string   `json:"_encoding,omitempty"`
	}
	harResponse struct {
		Status      int        `json:"status"`
		StatusText  string     `json:"statusText"`
		HTTPVersion string     `json:"httpVersion"`
		Cookies     []Header   `json:"cookies"`
		Headers     []Header   `json:"headers"`
		Content     harContent `json:"content"`
		RedirectURL string     `json:"redirectURL"`
		HeadersSize int        `json:"headersSize"`
		BodySize    int64      `json:"bodySize"`
	}
	harContent struct {
		Size     int64  `json:"size"`
		MimeType string `json:"mimeType"`
		Text     string `json:"text,omitempty"`
		Encoding string `json:"encoding,omitempty"`
	}
	harTimings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
)

func showHAR(w http.ResponseWriter, r *http.Request, found *Request) error {
	return respondHAR(w, r, []*Request{found})
}

func (rc *Receiver) listHAR(w http.ResponseWriter, r *http.Request) error {
	lookup, err := parseLookup(r.URL.Query(), true)
	if err != nil {
		return err
	}
	found, _ := rc.lookup(r.Context(), r.PathValue("inbox"), lookup)
	return respondHAR(w, r, found)
}

func respondHAR(w http.ResponseWriter, r *http.Request, found []*Request) error {
	w.Header().Set("Content-Disposition", `attachment; filename="requests.har"`)
	log := harLog{Version: "1.2", Creator: harCreator{"petstore receiver", "1"}, Entries: []harEntry{}}
	for _, request := range found {
		log.Entries = append(log.Entries, request.harEntry("http://"+r.Host))
	}
	return respond(w, http.StatusOK, har{log})
}

func (r *Request) harEntry(base string) harEntry {
	entry := harEntry{
		StartedDateTime: r.ReceivedAt, Number: r.Number,
		Request: harRequest{
			Method: r.Method, URL: base + r.Target, HTTPVersion: r.Protocol, Cookies: []Header{}, Headers: r.Headers, Trailers: r.Trailers,
			QueryString: queryFields(r.Query), HeadersSize: len(r.head.text), BodySize: len(r.Body),
		},
		Response: harResponse{HTTPVersion: r.Protocol, Cookies: []Header{}, Headers: []Header{}, HeadersSize: -1, BodySize: -1},
	}
	if r.head.text == "" {
		entry.Request.HeadersSize = -1
	}
	if len(r.Body) > 0 {
		text, encoding := harText(r.Body)
		entry.Request.PostData = &postData{MimeType: r.Header("Content-Type"), Params: []Header{}, Text: text, Encoding: encoding}
	}
	if a := r.Answer; a != nil {
		entry.Time = milliseconds(a.Duration)
		entry.Timings.Wait = entry.Time
		text, encoding := harText(a.Body)
		entry.Response.Status, entry.Response.StatusText = a.Status, http.StatusText(a.Status)
		entry.Response.Headers, entry.Response.BodySize = a.Headers, a.Bytes
		entry.Response.RedirectURL = valueOf(a.Headers, "Location")
		entry.Response.Content = harContent{Size: a.Bytes, MimeType: valueOf(a.Headers, "Content-Type"), Text: text, Encoding: encoding}
	}
	return entry
}

func harText(data []byte) (text, encoding string) {
	if utf8.Valid(data) {
		return string(data), ""
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}

// queryFields are the parameters of a query, in their order.
func queryFields(query string) []Header {
	fields := []Header{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair != "" {
			fields = append(fields, Header{Name: unescape(name), Value: unescape(value)})
		}
	}
	return fields
}

func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}
