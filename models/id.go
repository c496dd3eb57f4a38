package models

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// Prefixes of ids: an id tells what it names wherever it turns up, in a log
// line or in a support mail.
const (
	PrefixProduct  = "prod_"
	PrefixTask     = "task_"
	PrefixCallback = "cb_"
	PrefixDelivery = "dlv_"
)

// NewID makes an id: the prefix and a version 7 UUID (RFC 9562, section 5.7) in
// hexadecimal. Such ids grow with time, so new rows go to the end of an index
// and "newest first" is the order of the primary key.
func NewID(prefix string) string {
	u := uuid.Must(uuid.NewV7())
	id := make([]byte, len(prefix)+hex.EncodedLen(len(u)))
	copy(id, prefix)
	hex.Encode(id[len(prefix):], u[:])
	return string(id)
}

// Now is the time that rows and messages carry: UTC, whole milliseconds, so
// that what is read back from either database equals what was written.
func Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
