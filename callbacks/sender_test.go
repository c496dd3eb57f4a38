package callbacks

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var someBody = []byte(`{"callback_id":"cb_1"}`)

func newSender(t testing.TB, o SenderOptions) *Sender {
	t.Helper()
	s := NewSender(o)
	t.Cleanup(s.Close)
	return s
}

// listen starts a server that hands each connection to talk, numbered from 0, and closes it afterwards.
func listen(t testing.TB, talk func(n int, c *net.TCPConn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				talk(n, conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait()
	})
	return "http://" + listener.Addr().String() + "/cb"
}

// readRequest reads one request to its end, or returns nil.
func readRequest(r *bufio.Reader) *http.Request {
	request, err := http.ReadRequest(r)
	if err != nil {
		return nil
	}
	io.Copy(io.Discard, request.Body)
	return request
}

// answer returns a talk that reads a request, writes text, and waits for the sender to hang up.
func answer(text string) func(int, *net.TCPConn) {
	return func(_ int, c *net.TCPConn) {
		readRequest(bufio.NewReader(c))
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

func TestSend(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "OK")
	}))
	defer server.Close()
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	before := time.Now()
	a := s.Send(t.Context(), Delivery{URL: server.URL + "/cb?x=1", ID: "cb_1", Body: someBody, Signer: SignWith("secret")})
	if a.Outcome() != Delivered || a.Status != 202 || a.Body != "OK" || a.Error != "" || a.Headers.Get("X-Answer") != "yes" ||
		a.Address != server.Listener.Addr().String() || a.At.Before(before) || a.Duration <= 0 || a.Duration > time.Since(before) {
		t.Errorf("got %+v", a)
	}
	if got.Method != "POST" || got.URL.String() != "/cb?x=1" || got.Header.Get("Content-Type") != "application/json" ||
		got.UserAgent() != "petstore-callbacks/1" || got.ContentLength != int64(len(someBody)) || !bytes.Equal(body, someBody) {
		t.Errorf("sent %+v with %s", got, body)
	}
	if err := Verify(got.Header, body, "secret", time.Now()); err != nil {
		t.Error(err)
	}
	if err := VerifyBody(got.Header, body, "secret"); err != nil {
		t.Error(err)
	}
}

func TestSendFaults(t *testing.T) {
	var compressed bytes.Buffer
	zip := gzip.NewWriter(&compressed)
	io.WriteString(zip, "OK")
	zip.Close()
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name    string
		talk    func(int, *net.TCPConn)
		outcome Outcome
		status  int
		body    string
		err     string
	}{
		{"reset", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			c.SetLinger(0)
		}, Failed, 0, "", "connection reset"},
		{"closed without an answer", func(_ int, c *net.TCPConn) { readRequest(bufio.NewReader(c)) }, Failed, 0, "", "connection closed early"},
		{"closed within the headers", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, ok+"Content-Length: 3\r\n")
		}, Failed, 0, "", "connection closed early"},
		{"never answers", answer(""), Failed, 0, "", "timed out"},
		{"slow headers", answer(ok + "X-Slow: 1\r\n"), Failed, 0, "", "timed out"},
		{"slow body", answer(ok + "Content-Length: 10\r\n\r\nabc"), Delivered, 200, "abc", "timed out"},
		{"slow body of a failure", answer("HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nabc"), Failed, 500, "abc", "timed out"},
		{"body breaks off", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, ok+"Content-Length: 10\r\n\r\nabc")
		}, Delivered, 200, "abc", "connection closed early"},
		{"endless body", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, ok+"\r\n")
			for block := bytes.Repeat([]byte("x"), 4096); ; {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		}, Delivered, 200, strings.Repeat("x", maxAnswer), ""},
		{"huge headers", answer(ok + "X-Huge: " + strings.Repeat("x", 2*maxAnswer) + "\r\n\r\n"), Failed, 0, "", "answer not understood"},
		{"endless headers", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			io.WriteString(c, ok)
			for {
				if _, err := io.WriteString(c, "X-More: and more\r\n"); err != nil {
					return
				}
			}
		}, Failed, 0, "", "answer not understood"},
		{"1xx before the answer", answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nOK"), Delivered, 200, "OK", ""},
		{"endless 1xx", func(_ int, c *net.TCPConn) {
			readRequest(bufio.NewReader(c))
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n"); err != nil {
					return
				}
			}
		}, Failed, 0, "", "answer not understood"},
		{"switches protocols", answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), Failed, 101, "", ""},
		{"gzip unasked", answer(fmt.Sprintf(ok+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", compressed.Len(), compressed.String())), Delivered, 200, "", ""},
		{"no HTTP", answer("SSH-2.0-OpenSSH_9.9\r\n"), Failed, 0, "", "answer not understood"},
		{"NUL and bad UTF-8", answer(ok + "Content-Length: 5\r\n\r\na\x00b\xffc"), Delivered, 200, "a\ufffdb\ufffdc", ""},
		{"410", answer("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"), Gone, 410, "", ""},
		{"204", answer("HTTP/1.1 204 No Content\r\n\r\n"), Delivered, 204, "", ""},
		{"304", answer("HTTP/1.1 304 Not Modified\r\n\r\n"), Failed, 304, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := listen(t, test.talk)
			// Those that are to time out do so soon; the others have all the time that a busy machine takes.
			timeout := 20 * time.Second
			if test.err == "timed out" {
				timeout = 200 * time.Millisecond
			}
			s := newSender(t, SenderOptions{Policy: DevelopmentPolicy(), Timeout: timeout})
			a := s.Send(context.Background(), Delivery{URL: url, ID: "cb_1", Body: someBody})
			if a.Outcome() != test.outcome || a.Status != test.status || a.Body != test.body || a.Error != test.err {
				t.Errorf("got %s %d %.40q (%d bytes) %q", a.Outcome(), a.Status, a.Body, len(a.Body), a.Error)
			}
			if !strings.Contains(url, a.Address) || a.Address == "" {
				t.Errorf("address %q", a.Address)
			}
		})
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	var followed atomic.Int32
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/cb" {
				followed.Add(1)
			}
			http.Redirect(w, r, "/elsewhere", status)
		}))
		s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
		a := s.Send(t.Context(), Delivery{URL: server.URL + "/cb", Body: someBody})
		if a.Outcome() != Failed || a.Status != status || followed.Load() != 0 {
			t.Errorf("%d: %+v, followed %d times", status, a, followed.Load())
		}
		s.Close()
		server.Close()
	}
}

func TestSendRetryAfter(t *testing.T) {
	url := listen(t, answer("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"))
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	if a := s.Send(t.Context(), Delivery{URL: url}); a.RetryAfter != 7*time.Second || a.Outcome() != Failed {
		t.Errorf("got %+v", a)
	}
}

func TestSendRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	a := s.Send(t.Context(), Delivery{URL: "http://" + listener.Addr().String()})
	if a.Error != "connection refused" || a.Address != listener.Addr().String() || a.Outcome() != Failed {
		t.Errorf("got %+v", a)
	}
}

func TestSendCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := listen(t, func(_ int, c *net.TCPConn) {
		readRequest(bufio.NewReader(c))
		cancel()
		io.Copy(io.Discard, c)
	})
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	if a := s.Send(ctx, Delivery{URL: url}); a.Error != "cancelled" || a.Status != 0 {
		t.Errorf("got %+v", a)
	}
}

func TestSendBadURL(t *testing.T) {
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	for url, want := range map[string]string{"http://[::1": "not a valid URL", "ftp://x/": "answer not understood", "": "answer not understood"} {
		if a := s.Send(t.Context(), Delivery{URL: url}); a.Error != want || a.Outcome() != Failed {
			t.Errorf("%q: got %+v", url, a)
		}
	}
}

// TestSendTLS is faults 8: an attempt says what is wrong with the certificate.
func TestSendTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	server.Config.ErrorLog = quiet
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	plain := listen(t, answer("HTTP/1.1 400 Bad Request\r\n\r\n"))
	for _, test := range []struct {
		name, url, want string
		client          func(c *tls.Config)
		server          func(c *tls.Config)
	}{
		{name: "authority", want: "certificate of an unknown authority: add it to the sender's SSL_CERT_FILE", client: func(c *tls.Config) { c.RootCAs = nil }},
		{name: "name", want: "certificate for another host name: use a name that the certificate has", client: func(c *tls.Config) { c.ServerName = "other.test" }},
		{name: "expired", want: "certificate expired or not yet valid", client: func(c *tls.Config) {
			c.Time = func() time.Time { return time.Now().AddDate(200, 0, 0) }
		}},
		{name: "no TLS", url: strings.Replace(plain, "http:", "https:", 1), want: "no TLS at this port: use http, or the port of https"},
		{name: "client's", want: "a client certificate is required, which callbacks do not have", server: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }},
		{name: "client's, before TLS 1.3", want: "TLS handshake failed: no version or cipher in common, or a client certificate is required", server: func(c *tls.Config) {
			c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
		}},
		{name: "trusted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
			s.transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			s.transport.TLSClientConfig.NextProtos = nil
			if test.client != nil {
				test.client(s.transport.TLSClientConfig)
			}
			url := cmp.Or(test.url, server.URL)
			if test.server != nil {
				picky := httptest.NewUnstartedServer(server.Config.Handler)
				picky.Config.ErrorLog, picky.TLS = quiet, new(tls.Config)
				test.server(picky.TLS)
				picky.StartTLS()
				defer picky.Close()
				url = picky.URL
			}
			a := s.Send(t.Context(), Delivery{URL: url})
			if a.Error != test.want || test.want == "" && a.Body != "HTTP/1.1" {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestSendQuery is faults 19: a query that is not ASCII goes out percent-encoded, one that is as it was written.
func TestSendQuery(t *testing.T) {
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI }))
	defer server.Close()
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	for query, want := range map[string]string{
		"?shop=Köln": "/?shop=K%C3%B6ln", "?a=%20&b=%C3&c=100%&d={$x}[]|'": "/?a=%20&b=%C3&c=100%&d=%7B$x%7D[]%7C'", `?"<>`: "/?%22%3C%3E",
		"?q=a\\b^c`": "/?q=a%5Cb%5Ec%60", // faults 19, another instance: Tomcat refuses these
		"Köln?":      "/K%C3%B6ln?", "?": "/?",
	} {
		if a := s.Send(t.Context(), Delivery{URL: server.URL + "/" + query}); a.Status != 200 {
			t.Errorf("%s: got %+v", query, a)
		} else if got := <-asked; got != want {
			t.Errorf("%s went out as %s", query, got)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "OK") }))
	defer server.Close()
	s := newSender(b, SenderOptions{Policy: DevelopmentPolicy()})
	body, _ := Encode(someUpdate)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a := s.Send(context.Background(), Delivery{URL: server.URL, ID: "cb_1", Body: body, Signer: SignWith(DevelopmentSecret)})
			if a.Outcome() != Delivered {
				b.Errorf("%+v", a)
			}
		}
	})
}
