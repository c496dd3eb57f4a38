package main

import (
	"net"
	"strings"
	"testing"
)

// TestSettings are refused with a message that names the setting and what it wants.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"-addr=127.0.0.1", "ADDR"},
		{"-receiver-addr=9090", "RECEIVER_ADDR"},
		{"-database-url=mysql://localhost/petstore", "DATABASE_URL: mysql://"},
		{"-callback-secret=whsec_!", "CALLBACK_SECRET"},
		{"-step-delay=2h", "STEP_DELAY"},
		{"-stripe-api-url=http://127.0.0.1:12111", "STRIPE_API_KEY"},
		{"-allowed-origins=app.example.com", "ALLOWED_ORIGINS"},
		{"-env=prod", "ENV"},
		{"-env=production", "CALLBACK_SECRET"},
		{"-env=production -callback-secret=fifteen-letters", "CALLBACK_SECRET"},
		{"serve", `"serve"`},
	} {
		if _, err := readConfig(strings.Fields(c.flag)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %s", c.flag, err, c.want)
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
