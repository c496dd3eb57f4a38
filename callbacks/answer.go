package callbacks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

var (
	errBadURL    = errors.New("callbacks: not a valid URL")
	errPlainHTTP = errors.New("callbacks: not https")
)

// Describe puts the error of an HTTP exchange into a few words that are stable, such as "connection refused", and say
// nothing of this machine. ctx is that of the request.
func Describe(ctx context.Context, err error) string {
	var dns *net.DNSError
	var operation *net.OpError
	switch {
	case errors.Is(err, errBadURL):
		return "not a valid URL"
	case errors.Is(err, errPlainHTTP):
		return "plain http not allowed"
	case IsLocalResourceError(err):
		return "this machine is short of descriptors, memory or ports"
	case errors.Is(err, ErrForbiddenAddress):
		return "address not allowed"
	case errors.Is(ctx.Err(), context.Canceled):
		return "cancelled"
	case errors.Is(ctx.Err(), context.DeadlineExceeded), isTimeout(err):
		return "timed out"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "host not found"
	case dns != nil:
		return "host name lookup failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case isTLS(err):
		return describeTLS(err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isClosedIdle(err):
		return "connection closed early"
	case errors.As(err, &operation) && operation.Op == "dial":
		return "host not reachable"
	default:
		return describeAnswer(err)
	}
}

// describeAnswer knows an answer that is no HTTP/1.1 by its first bytes, which net/http quotes: a TLS alert (RFC 8446,
// section 5.1), or the settings of HTTP/2 (RFC 9113, section 6.5). Else it is not HTTP at all, or its headers are longer
// than 16 KiB.
func describeAnswer(err error) string {
	_, quoted, _ := strings.Cut(err.Error(), "malformed HTTP response ")
	first, _ := strconv.Unquote(quoted)
	switch {
	case strings.HasPrefix(first, "\x15\x03"):
		return "TLS at this port: use https, or the port of http"
	case len(first) > 3 && first[0] == 0 && first[3] == 0x04:
		return "HTTP/2 only at this port: use one that speaks HTTP/1.1"
	default:
		return "answer not understood"
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var operation *net.OpError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &operation) && operation.Op == "remote error" || isOldTLS(err)
}

// isOldTLS knows the versions before TLS 1.2 by the other side's alert, or, where it goes on with one of them, by the
// text of crypto/tls, which has no type for it.
func isOldTLS(err error) bool {
	return strings.HasSuffix(err.Error(), "tls: protocol version not supported") ||
		strings.Contains(err.Error(), "tls: server selected unsupported protocol version")
}

// describeTLS says what is wrong with whose certificate, and what to set. Alerts are those of RFC 8446, section 6.2: of
// a server that wants a client certificate, "certificate required", or "bad certificate" before TLS 1.3.
func describeTLS(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return "certificate of an unknown authority: add it to the sender's SSL_CERT_FILE"
	case errors.As(err, &name):
		return "certificate for another host name: use a name that the certificate has"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate expired or not yet valid"
	case errors.As(err, &invalid):
		return "certificate not valid"
	case errors.As(err, &record):
		return "no TLS at this port: use http, or the port of https"
	case strings.HasSuffix(err.Error(), "tls: certificate required"), strings.HasSuffix(err.Error(), "tls: bad certificate"):
		return "a client certificate is required, which callbacks do not have"
	case isOldTLS(err):
		return "no version of TLS in common: the port has to speak TLS 1.2 or newer"
	case strings.HasSuffix(err.Error(), "tls: unrecognized name"):
		return "no certificate for this host name: use one that the server has a certificate for"
	case strings.HasSuffix(err.Error(), "tls: handshake failure"):
		return "TLS handshake failed: no version or cipher in common, or a client certificate is required"
	default:
		return "TLS handshake failed"
	}
}

// shortages are what this machine can have too little of: descriptors, buffers, memory.
var shortages = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// IsLocalResourceError reports whether an error says that this machine has too little of something: descriptors, buffers,
// memory, ports. It says nothing about whoever was to be reached.
func IsLocalResourceError(err error) bool {
	var dns *net.DNSError
	lookup := errors.As(err, &dns)
	for _, shortage := range shortages {
		// A failed lookup does not wrap why; it has it as a text.
		if errors.Is(err, shortage) || lookup && strings.HasSuffix(dns.Err, shortage.Error()) {
			return true
		}
	}
	return isOutOfPorts(err)
}

// isOutOfPorts reports whether no local port was free to dial from (connect(2)). Dialling IPv6, a machine that has none
// says the same.
func isOutOfPorts(err error) bool {
	var dial *net.OpError
	if !errors.Is(err, syscall.EADDRNOTAVAIL) || !errors.As(err, &dial) {
		return false
	}
	to, ok := dial.Addr.(*net.TCPAddr)
	return ok && to.IP.To4() != nil
}

// isClosedIdle knows net/http's errServerClosedIdle, which it doesn't export, by its text.
func isClosedIdle(err error) bool {
	return strings.Contains(err.Error(), "server closed idle connection")
}

// maxRetryAfter bounds how long a receiver can put a delivery off.
const maxRetryAfter = 24 * time.Hour

// retryAfter returns what the answer asks to wait, from 0 to 24 h; seconds or an HTTP date (RFC 9110, 10.2.3). Only
// 429 (RFC 6585) and 503 have a say in it.
func retryAfter(status int, h http.Header, now time.Time) time.Duration {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return 0
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(0, date.Sub(now)), maxRetryAfter)
}

// cleanText makes s fit to store and to show: what isn't UTF-8, and NUL, which PostgreSQL can't hold, becomes U+FFFD.
func cleanText(s string) string {
	const replacement = string(utf8.RuneError)
	return strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\x00", replacement)
}

// cleanHeader cleans the values of h in place. Names are ASCII already: the transport checks them.
func cleanHeader(h http.Header) http.Header {
	for _, values := range h {
		for i, value := range values {
			values[i] = cleanText(value)
		}
	}
	return h
}
