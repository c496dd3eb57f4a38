package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3"

	"petstore/callbacks"
	"petstore/callbacks/origin"
)

// Config is what can be set, by flag or by the environment variable of the same
// name: -step-delay, STEP_DELAY. The defaults need nothing else.
type Config struct {
	Addr            string        // where the API listens
	DatabaseURL     string        // an SQLite file, or postgres://
	BlobURL         string        // where pictures are kept, "" for the folder blobs beside the database
	ReceiverAddr    string        // where the sample receiver listens, "" for no receiver
	CallbackSecret  string        // what callbacks are signed with
	RetrySchedule   string        // waits between the attempts of a callback, "" for those of Env
	CallbackTimeout time.Duration // how long an attempt may take
	StepDelay       time.Duration // how long packing one item takes
	Retention       time.Duration // how long finished work is kept, 0 for ever
	StripeKey       string        // secret API key of Stripe; without it payments go to a sandbox
	StripeURL       string        // of Stripe's API, "" for Stripe's own
	AllowedOrigins  string        // other web pages that may use the API, comma-separated
	AllowedHosts    string        // names of this server beside its address, comma-separated
	PublicURL       string        // where clients find this server, "" for ADDR
	Env             string        // development or production
	ReadyJSON       bool          // say in JSON where the server listens
}

const (
	envDevelopment = "development"
	envProduction  = "production"
)

func (c Config) production() bool { return c.Env == envProduction }

func (c Config) policy() callbacks.Policy {
	if c.production() {
		return callbacks.Policy{}
	}
	return callbacks.DevelopmentPolicy()
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func (c Config) hosts() origin.Hosts {
	return origin.NewHosts(c.Addr, c.PublicURL, words(c.AllowedHosts)...)
}

func (c Config) origins() ([]origin.Origin, error) {
	pages, err := origin.ParseAll(words(c.AllowedOrigins))
	if err != nil {
		return nil, fmt.Errorf("ALLOWED_ORIGINS %w", err)
	}
	return pages, nil
}

// schedule is when callbacks are tried again.
func (c Config) schedule() (callbacks.Schedule, error) {
	switch {
	case c.RetrySchedule != "":
		schedule, err := callbacks.ParseSchedule(c.RetrySchedule)
		if err != nil {
			err = fmt.Errorf("RETRY_SCHEDULE: %w", err)
		}
		return schedule, err
	case c.production():
		return callbacks.ProductionSchedule(), nil
	default:
		return callbacks.DevelopmentSchedule(), nil
	}
}

// readConfig reads flags, then the environment, and checks what it got.
func readConfig(args []string) (Config, error) {
	var c Config
	fs := flag.NewFlagSet("petstore", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "Usage:\n  petstore [flags]          serve\n  petstore compare [flags]  measure every way to hear of slow work\n  petstore grade URL        judge a receiver of callbacks\n\n"+
			"Each flag is an environment variable, too: STEP_DELAY is -step-delay.\n\n")
		fs.PrintDefaults()
	}
	fs.StringVar(&c.Addr, "addr", "127.0.0.1:8080", "`host:port` where the API listens")
	fs.StringVar(&c.DatabaseURL, "database-url", "petstore.db", "`path` of an SQLite file, :memory: for one that is deleted at exit, or postgres://user:password@host/database")
	fs.StringVar(&c.BlobURL, "blob-url", "", "`URL` of the bucket for pictures, file:///a/folder or mem://; empty for the folder blobs beside the database")
	receiverAddr := "127.0.0.1:9090"
	if addr, set := os.LookupEnv("RECEIVER_ADDR"); set {
		receiverAddr = addr // ff takes an empty variable for one that is not set; here it means none
	}
	fs.StringVar(&c.ReceiverAddr, "receiver-addr", receiverAddr, "`host:port` of the sample receiver; empty for none")
	fs.StringVar(&c.CallbackSecret, "callback-secret", callbacks.DevelopmentSecret, "`secret` that signs callbacks")
	fs.StringVar(&c.RetrySchedule, "retry-schedule", "", "`waits` before a callback is tried again, such as 1s,5s,30s; empty for eight attempts in two minutes, in production nine in a day and a half")
	fs.DurationVar(&c.CallbackTimeout, "callback-timeout", 15*time.Second, "how long an attempt of a callback may take, 10ms to 5m")
	fs.DurationVar(&c.StepDelay, "step-delay", 500*time.Millisecond, "how long packing an item takes, and an answer of the payment sandbox, 0s to 1h")
	fs.DurationVar(&c.Retention, "retention", 0, "how long finished work is kept, with its updates, deliveries, pictures and reports: 1s or longer; 0s for ever")
	fs.StringVar(&c.StripeKey, "stripe-api-key", "", "secret API `key` of Stripe; without it payments go to a sandbox")
	fs.StringVar(&c.StripeURL, "stripe-api-url", "", "`URL` of Stripe's API, for stripe-mock")
	fs.StringVar(&c.AllowedOrigins, "allowed-origins", "", "`origins` of other web pages that may use the API, comma-separated; * for any")
	fs.StringVar(&c.AllowedHosts, "allowed-hosts", "", "`names` of this server, beside its address and that in -public-url, comma-separated")
	fs.StringVar(&c.PublicURL, "public-url", "", "`URL` by which clients reach this server, if that is not where it listens")
	fs.StringVar(&c.Env, "env", envDevelopment, "`development` or production")
	fs.BoolVar(&c.ReadyJSON, "ready-json", false, "print one line of JSON, with the URLs, as soon as the server is ready, and all else on stderr")
	if err := ff.Parse(fs, args, ff.WithEnvVars()); err != nil {
		if strings.HasSuffix(err.Error(), "parse error") { // package flag says no more
			err = fmt.Errorf("%w; a duration is written as 2s or 500ms", err)
		}
		return Config{}, err
	}
	if fs.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return c, c.check()
}

func (c Config) check() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("ADDR %q: want host:port", c.Addr)
	}
	if _, _, err := net.SplitHostPort(c.ReceiverAddr); c.ReceiverAddr != "" && err != nil {
		return fmt.Errorf("RECEIVER_ADDR %q: want host:port, or nothing", c.ReceiverAddr)
	}
	if callbacks.CheckSecret(c.CallbackSecret) != nil {
		return errors.New("CALLBACK_SECRET: want a secret that is not empty; after whsec_, it must be base64")
	}
	for _, check := range []func() error{c.checkTimes, c.checkStores, c.checkStripe, c.checkNames} {
		if err := check(); err != nil {
			return err
		}
	}
	switch c.Env {
	case envDevelopment:
		return nil
	case envProduction:
		return c.checkProduction()
	}
	return fmt.Errorf("ENV %q: want %s or %s", c.Env, envDevelopment, envProduction)
}

func (c Config) checkTimes() error {
	if c.StepDelay < 0 || c.StepDelay > time.Hour {
		return fmt.Errorf("STEP_DELAY %s: want 0s to 1h", c.StepDelay)
	}
	if c.CallbackTimeout != 0 && (c.CallbackTimeout < 10*time.Millisecond || c.CallbackTimeout > 5*time.Minute) {
		return fmt.Errorf("CALLBACK_TIMEOUT %s: want 10ms to 5m", c.CallbackTimeout)
	}
	if _, err := c.schedule(); err != nil {
		return err
	}
	if c.Retention != 0 && c.Retention < time.Second {
		return fmt.Errorf("RETENTION %s: want at least 1s, or 0s to keep everything", c.Retention)
	}
	return nil
}

// blobURL is BlobURL, or what it is when nothing is set.
func (c Config) blobURL() (string, error) {
	if c.BlobURL != "" {
		return c.BlobURL, nil
	}
	beside := "."
	if !strings.HasPrefix(c.DatabaseURL, "postgres") || !strings.Contains(c.DatabaseURL, "://") {
		beside = filepath.Dir(strings.TrimPrefix(c.DatabaseURL, "file:"))
	}
	folder, err := filepath.Abs(filepath.Join(beside, "blobs"))
	if err != nil {
		return "", fmt.Errorf("finding the folder for pictures: %w", err)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String(), nil
}

// urlOf is the URL of a listener.
func urlOf(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // all addresses: one of them that can be dialled
	}
	return (&url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}).String()
}
