package senders

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// reserve binds a port without listening, so that connections are refused and nobody else takes it, until the
// returned function listens.
func (in *inbox) reserve() (listen func() error, err error) {
	ip := net.ParseIP(in.grader.Host).To4()
	if ip == nil {
		return nil, fmt.Errorf("a port can be reserved on IPv4 only, not at %s", in.grader.Host)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	syscall.CloseOnExec(socket)
	file := os.NewFile(uintptr(socket), "inbox")
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte(ip)}); err != nil {
		file.Close()
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("reserving a port: %w", err)
	}
	in.address = net.JoinHostPort(in.grader.Host, strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	return func() error {
		defer file.Close() // The listener has a copy.
		if err := syscall.Listen(socket, syscall.SOMAXCONN); err != nil {
			return fmt.Errorf("listening on a reserved port: %w", err)
		}
		listener, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("listening on a reserved port: %w", err)
		}
		in.serve(listener)
		return nil
	}, nil
}

// listenTLS serves https with a certificate of its own making.
func (in *inbox) listenTLS() error {
	certificate, err := selfSigned(in.grader.Host)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(in.grader.Host, "0"))
	if err != nil {
		return fmt.Errorf("opening an inbox: %w", err)
	}
	in.scheme = "https"
	in.serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	return nil
}

func selfSigned(host string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.ParseIP(host)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// listenPrivate listens on loopback, and returns URLs that mean it in as many ways as resolvers and parsers know.
func (in *inbox) listenPrivate() ([]string, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening an inbox: %w", err)
	}
	in.serve(listener)
	_, port, err := net.SplitHostPort(in.address)
	if err != nil {
		return nil, fmt.Errorf("opening an inbox: %w", err)
	}
	if six, err := net.Listen("tcp6", "[::1]:"+port); err == nil { // Not every machine has IPv6.
		go func() { _ = in.server.Serve(six) }() // until close
	}
	hosts := []string{
		"127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "127.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "0177.0.0.1",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.", "127.8.8.8",
	}
	if in.grader.DNS != nil {
		hosts = append(hosts, "private."+zone)
	}
	var urls []string
	for i, host := range hosts {
		for _, scheme := range []string{"https", "http"} {
			urls = append(urls, scheme+"://"+host+":"+port+in.path(i))
		}
	}
	return urls, nil
}
