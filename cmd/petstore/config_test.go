package main

import (
	"net"
	"strings"
	"testing"

	"petstore/callbacks"
)

// TestSettings are refused with a message that names the setting and what it wants.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"-addr=127.0.0.1", "ADDR"},
		{"-receiver-addr=9090", "RECEIVER_ADDR"},
		{"-database-url=mysql://localhost/petstore", "DATABASE_URL"},
		{"-callback-secret=whsec_!", "CALLBACK_SECRET"},
		{"-step-delay=2h", "STEP_DELAY"},
		{"-step-delay=2", "2s"},
		{"-stripe-api-url=http://127.0.0.1:12111", "STRIPE_API_KEY"},
		{"-allowed-origins=app.example.com", "ALLOWED_ORIGINS"},
		{"-env=prod", "ENV"},
		{"-env=production", "CALLBACK_SECRET"},
		{"-env=production -callback-secret=fifteen-letters", "CALLBACK_SECRET"},
		{"serve", `"serve"`},
		{"-public-url=api.example.com", "PUBLIC_URL"},
		{"-public-url=https://example.com/a/../b", "PUBLIC_URL"},
		{"-allowed-hosts=https://api.example.com", "ALLOWED_HOSTS"},
		// security 5
		{"-env=production -callback-secret=" + secret, "STRIPE_API_KEY"},
		{"-env=production -stripe-api-key=sk_test_1 -callback-secret=" + secret, "STRIPE_API_KEY"},
		{"-env=production -stripe-api-key=rk_test_1 -callback-secret=" + secret, "STRIPE_API_KEY"},
		{"-env=production -stripe-api-key=SK_TEST_1 -callback-secret=" + secret, "STRIPE_API_KEY"}, // another instance
		{"-env=production -stripe-api-key=pk_live_1 -callback-secret=" + secret, "STRIPE_API_KEY"},
		{"-env=production -stripe-api-key=sk_live_ -callback-secret=" + secret, "STRIPE_API_KEY"},
	} {
		if _, err := readConfig(strings.Fields(c.flag)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %s", c.flag, err, c.want)
		}
	}
	if _, err := readConfig(strings.Fields("-env=production -stripe-api-key=sk_live_1 -callback-secret=" + secret)); err != nil {
		t.Errorf("production: %v", err)
	}
}

const secret = "x4Tq0ZkPmVb81sYd"

// TestSecrets (security 13): what is long is not for that hard to guess.
func TestSecrets(t *testing.T) {
	for _, weak := range []string{
		strings.Repeat(" ", 16), "whsec_AAAAAAAAAAAA", callbacks.DevelopmentSecret + " ", " " + strings.ToUpper(callbacks.DevelopmentSecret),
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababab", "0123456789abcdef", "passwordpassword", "whsec_" + strings.Repeat("A", 44),
		"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", strings.Repeat(" ", 20) + "short", "fifteen-letters",
		strings.TrimPrefix(callbacks.DevelopmentSecret, "whsec_"), "70657473746F72652D646576656C6F706D656E742D736563726574", // spelled in other ways
		"password12345678", "qwertyuiopasdfgh", "your-secret-key-here", "whsec_cGFzc3dvcmQxMjM0NTY3OA==",
	} {
		if strongSecret(weak) {
			t.Errorf("%q is taken for a secret", weak)
		}
	}
	for _, strong := range []string{
		secret, "9f86d081884c7d65", "correct horse battery staple", "not the one for development",
		"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", callbacks.NewSecret(),
	} {
		if !strongSecret(strong) {
			t.Errorf("%q is refused", strong)
		}
	}
}

// TestNoPasswordIsShown (security 14): a database's URL that is mistyped is no path of a file,
// and its password is in no message.
func TestNoPasswordIsShown(t *testing.T) {
	for _, setting := range []string{
		"-database-url=host=db password=hunter2 dbname=petstore", "-database-url=postgres:/u:hunter2@db/petstore", "-database-url=POSTGRES://u:hunter2@db/petstore",
		"-database-url=postgres:u:hunter2@db", "-database-url=//u:hunter2@db/petstore", "-database-url=mysql://u:hunter2@db/petstore",
		"-database-url=user = 'u' Password = 'hunter2'", "-database-url=file:postgres:/u:hunter2@db", "-database-url=PGPASSWORD=hunter2", "-database-url=Server=db;Pwd=hunter2", "-database-url=postgres://",
		"-blob-url=s3://u:hunter2@bucket", "-blob-url=file://u:hunter2@host/x", "-blob-url=%zz:hunter2",
		"-stripe-api-url=http://u:hunter2@%zz/", "-stripe-api-url=https://u:hunter2@stripe.example", "-public-url=https://u:hunter2@api.example.com",
		"-allowed-hosts=u:hunter2@api.example.com",
	} {
		_, err := readConfig([]string{"-stripe-api-key=sk_test_1", setting})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error without the password", setting, err)
		}
	}
	for _, url := range []string{"postgres://u:hunter2@%zz/petstore", "postgres://u:hunter2@127.0.0.1:1/petstore?sslmode=nope", "postgres://u:hunter2@127.0.0.1:x/petstore",
		"postgres://u:hunter2@127.0.0.1:1/petstore?connect_timeout=1"} {
		cfg := Config{Addr: "127.0.0.1:0", DatabaseURL: url, BlobURL: "mem://"}
		_, err := New(t.Context(), cfg, t.Output())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error without the password", url, err)
		}
	}
	for _, path := range []string{"petstore.db", "/var/lib/pet store/petstore.db", `C:\\petstore.db`, "file:petstore.db", "./a@b/petstore.db"} {
		if _, err := readConfig([]string{"-database-url=" + path}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestWarnings (security 5 and 6): who can do what is said at the start.
func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Addr: "127.0.0.1:8080", Env: envProduction}, "can do everything"},
		{Config{Addr: "0.0.0.0:8080", Env: envDevelopment}, "for this machine alone"},
		{Config{Addr: ":8080", Env: envDevelopment}, "for this machine alone"},
		{Config{Addr: "[::]:8080", Env: envDevelopment}, "for this machine alone"},
		{Config{Addr: "192.168.1.2:8080", Env: envDevelopment}, "for this machine alone"},
		{Config{Addr: "petstore-host:8080", Env: envDevelopment}, "for this machine alone"}, // another instance
		{Config{Addr: "127.0.0.1:8080", Env: envDevelopment}, ""},
		{Config{Addr: "[::ffff:127.0.0.1]:8080", Env: envDevelopment}, ""},
		{Config{Addr: "localhost:8080", Env: envDevelopment}, ""},
	} {
		got := strings.Join(c.config.warnings(), "\n")
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%+v: %q, want %q", c.config, got, c.want)
		}
	}
}

// TestURLOfAllAddresses (faults 20): what is printed and shown can be dialled.
func TestURLOfAllAddresses(t *testing.T) {
	for ip, want := range map[string]string{"0.0.0.0": "http://127.0.0.1:8080", "::": "http://127.0.0.1:8080", "::1": "http://[::1]:8080"} {
		if got := urlOf(&net.TCPAddr{IP: net.ParseIP(ip), Port: 8080}); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}

// TestNoReceiver: an empty RECEIVER_ADDR is a setting, and not the lack of one.
func TestNoReceiver(t *testing.T) {
	t.Setenv("RECEIVER_ADDR", "")
	if cfg, err := readConfig(nil); err != nil || cfg.ReceiverAddr != "" {
		t.Errorf("the receiver is at %q, %v", cfg.ReceiverAddr, err)
	}
}

// TestAddressInUse says which setting moves the server elsewhere.
func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg, err := readConfig([]string{"-receiver-addr=" + taken.Addr().String(), "-addr=127.0.0.1:0", "-database-url=" + tempDatabase(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg, t.Output()); err == nil || !strings.Contains(err.Error(), "RECEIVER_ADDR") {
		t.Errorf("%v, want an error that names RECEIVER_ADDR", err)
	}
}
