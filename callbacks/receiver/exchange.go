package receiver

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"petstore/callbacks"
)

// exchangeTimeout bounds an exchange with another receiver, from the dialling to the end of the answer.
const exchangeTimeout = 15 * time.Second

// outgoing is a request on its way to another receiver, as it will be written.
type outgoing struct {
	url     *url.URL
	method  string
	headers []Header
	body    []byte
	trailer string // with a line end after each field
}

// passOn is r as it goes to a URL: byte for byte, but for the target and the Host.
func passOn(r *Request, to *url.URL) outgoing {
	o := outgoing{url: to, method: r.Method, body: r.Body, trailer: r.trailer()}
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, "Host") {
			h.Value = to.Host
		}
		o.headers = append(o.headers, h)
	}
	return o
}

// bytes are the message. Chunks are not kept: a body that came in several goes out as one.
func (o *outgoing) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", o.method, o.url.RequestURI())
	writeMessage(&b, o.headers, o.body, o.trailer)
	return b.Bytes()
}

func writeMessage(b *bytes.Buffer, headers []Header, body []byte, trailer string) {
	b.WriteString(fieldLines(headers) + "\r\n")
	writeBody(b, headers, body, trailer)
}

func writeBody(b *bytes.Buffer, headers []Header, body []byte, trailer string) {
	if !strings.EqualFold(valueOf(headers, "Transfer-Encoding"), "chunked") {
		b.Write(body)
		return
	}
	if len(body) > 0 {
		b.WriteString(strconv.FormatInt(int64(len(body)), 16) + "\r\n")
		b.Write(body)
		b.WriteString("\r\n")
	}
	b.WriteString("0\r\n" + trailer + "\r\n")
}

// reply is an answer with its whole body, up to 1 MiB.
type reply struct {
	header http.Header
	body   []byte
}

// send sends o and returns what came of it. loop, if not "", is an address that it must not go to.
func (rc *Receiver) send(ctx context.Context, kind string, o outgoing, loop string) (Exchange, reply) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	e := Exchange{Kind: kind, URL: o.url.String(), At: time.Now().UTC()}
	answer, got, err := rc.exchange(ctx, o, loop)
	e.Duration = time.Since(e.At)
	switch {
	case errors.Is(err, errTarget):
		e.Error = "not on this machine, nor where FORWARD_ALLOW lets it go"
	case errors.Is(err, errLoop):
		e.Error = "the receiver would forward to itself"
	case err != nil:
		e.Error = callbacks.Describe(ctx, err)
	default:
		e.Status, e.Headers, e.Body = answer, headersOf(got.header), got.body[:min(len(got.body), maxExcerpt)]
	}
	return e, got
}

var errLoop = errors.New("receiver: forwarded to itself")

func (rc *Receiver) exchange(ctx context.Context, o outgoing, loop string) (int, reply, error) {
	conn, err := rc.connect(ctx, o.url)
	if err != nil {
		return 0, reply{}, err
	}
	defer conn.Close()
	if loop != "" && conn.RemoteAddr().String() == loop {
		return 0, reply{}, errLoop
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(o.bytes()); err != nil {
		return 0, reply{}, err
	}
	return readReply(conn, o.method)
}

func (rc *Receiver) connect(ctx context.Context, to *url.URL) (net.Conn, error) {
	port := cmp.Or(to.Port(), map[string]string{"http": "80", "https": "443"}[to.Scheme])
	conn, err := rc.targets.dial(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil || to.Scheme != "https" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: to.Hostname(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// readReply reads an answer of which head and body are no longer than 1 MiB together.
func readReply(conn net.Conn, method string) (int, reply, error) {
	in := bufio.NewReader(io.LimitReader(conn, maxBody))
	for range 10 { // Of 1xx, some may come before the answer.
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return 0, reply{}, err
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, reply{header: response.Header, body: body}, err
	}
	return 0, reply{}, errors.New("receiver: no answer but 1xx")
}
