package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"petstore/handlers"
)

// Messages of these checks name settings and show no values: there may be a password in one
// that is written in another way than the check expects.

// otherDatabase is what no path of an SQLite file looks like: a URL of some kind, but for a
// drive of Windows, or settings of libpq
// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE).
var otherDatabase = regexp.MustCompile(`(?i)^[a-z][a-z0-9+.-]+:|\b(pg[a-z]+|host|hostaddr|port|dbname|user|password|passfile|service|sslmode|server|pwd|uid)\s*=|:[^/]*@`)

// checkStores checks where things are kept.
func (c Config) checkStores() error {
	scheme, rest, isURL := strings.Cut(c.DatabaseURL, "://")
	postgres := isURL && (scheme == "postgres" || scheme == "postgresql")
	if !postgres && otherDatabase.MatchString(strings.TrimPrefix(c.DatabaseURL, "file:")) || postgres && rest == "" {
		return errors.New("DATABASE_URL: want the path of an SQLite file, or postgres://user:password@host/database")
	}
	u, err := url.Parse(c.BlobURL)
	if c.BlobURL != "" && (err != nil || u.Scheme != "file" && u.Scheme != "mem" || u.User != nil) {
		return errors.New("BLOB_URL: want file:///a/folder, or mem:// to forget pictures at exit")
	}
	return nil
}

func (c Config) checkStripe() error {
	if c.StripeURL == "" {
		return nil
	}
	u, err := url.Parse(c.StripeURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || c.StripeKey == "" {
		return errors.New("STRIPE_API_URL: want the URL of Stripe's API or of stripe-mock, without a password, and STRIPE_API_KEY")
	}
	return nil
}

// checkNames checks what says by which names this server is known, and to whom.
func (c Config) checkNames() error {
	if _, err := c.origins(); err != nil {
		return err
	}
	for _, host := range words(c.AllowedHosts) {
		if strings.ContainsAny(host, "/*@") {
			return errors.New("ALLOWED_HOSTS: want names of this server, such as api.example.com")
		}
	}
	u, err := url.Parse(c.PublicURL)
	if c.PublicURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
		return errors.New("PUBLIC_URL: want the URL by which clients reach this server, such as https://api.example.com")
	}
	if _, err := handlers.ParsePrefix(u.EscapedPath()); err != nil {
		return fmt.Errorf("PUBLIC_URL: its path: %w", err)
	}
	return nil
}

// checkProduction refuses what is for development only.
func (c Config) checkProduction() error {
	if !strongSecret(c.CallbackSecret) {
		return errors.New("CALLBACK_SECRET: production needs a secret of your own that nobody can guess, for example from: openssl rand -base64 32")
	}
	switch {
	case c.StripeKey == "":
		return errors.New("STRIPE_API_KEY: production needs a live key of Stripe: without one, orders would be paid and no money move")
	case isTestKey(c.StripeKey):
		return errors.New("STRIPE_API_KEY: production needs a live key of Stripe: with a test key, orders would be paid and no money move")
	case !liveKey.MatchString(c.StripeKey):
		return errors.New("STRIPE_API_KEY: production needs a live key of Stripe, which begins with sk_live_ or rk_live_: with another, each payment would fail")
	}
	return nil
}

// liveKey is a key with which a server charges cards: a secret key, a restricted one, or one of an
// organization (https://docs.stripe.com/keys).
var liveKey = regexp.MustCompile(`^(sk|rk)_(org_)?live_[[:graph:]]+$`)

// isTestKey reports whether a key of Stripe's moves no money: sk_test_ is a secret key, and
// rk_test_ a restricted one (https://docs.stripe.com/keys).
func isTestKey(key string) bool { return strings.Contains(key, "_test_") }

// warnings are what an operator has to know of a configuration that is allowed.
func (c Config) warnings() (lines []string) {
	if c.production() {
		lines = append(lines, "Whoever reaches this server can do everything: change prices, refund payments, read all callbacks, register webhooks. "+
			"There are no API keys: let only those reach it who may do that.")
	}
	if host, _, err := net.SplitHostPort(c.Addr); err == nil && !c.production() && reachable(host) {
		lines = append(lines, "In development the server is for this machine alone, and ADDR lets others reach it: "+
			"its secret is public, and it dials private addresses for whoever asks. Set ENV=production, or ADDR to a loopback address.")
	}
	return lines
}

// reachable reports whether others than this machine can reach a server that listens at host: all
// addresses, one that is not loopback, or a name that may stand for such.
func reachable(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.Unmap().IsLoopback()
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost")
}
