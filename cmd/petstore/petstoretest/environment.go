package petstoretest

import "os"

// Settings are the variables that set the server up, its flags in capitals.
var Settings = []string{
	"ADDR", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "BLOB_URL", "CALLBACK_SECRET", "CALLBACK_TIMEOUT", "DATABASE_URL", "ENV", "PUBLIC_URL",
	"READY_JSON", "RECEIVER_ADDR", "RETENTION", "RETRY_SCHEDULE", "STEP_DELAY", "STRIPE_API_KEY", "STRIPE_API_URL",
}

// IgnoreEnvironment unsets the server's settings in this process, and so in those that it starts: whoever runs the tests
// may have exported some for a server of their own. A proxy of theirs is asked for nothing on this machine; curl would
// ask it. Call it in TestMain.
func IgnoreEnvironment() {
	for _, name := range Settings {
		_ = os.Unsetenv(name) // Only a name that is no name is refused.
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		_ = os.Setenv(name, "127.0.0.1,localhost,::1,"+os.Getenv(name))
	}
}
