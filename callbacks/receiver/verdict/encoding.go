package verdict

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// encoding is how a digest is written.
type encoding struct {
	name   string
	encode func([]byte) string
	decode func(string) ([]byte, error)
}

var (
	hexDigits    = encoding{"hex", hex.EncodeToString, hex.DecodeString}
	base64Digits = encoding{"base64", base64.StdEncoding.EncodeToString, base64.StdEncoding.DecodeString}
)

// digest reads a SHA-256 that follows prefix. Its error is the end of the sentence "X-Signature …".
func (e encoding) digest(text, prefix string) ([]byte, error) {
	encoded, found := strings.CutPrefix(text, prefix)
	if !found {
		return nil, fmt.Errorf("does not begin with %q", prefix)
	}
	digest, err := e.decode(encoded)
	if err == nil && len(digest) == sha256.Size {
		return digest, nil
	}
	for _, other := range []encoding{hexDigits, base64Digits} {
		if digest, err := other.decode(encoded); err == nil && len(digest) == sha256.Size {
			return nil, fmt.Errorf("has its digest in %s, where %s is due", other.name, e.name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("is not in %s", e.name)
	}
	return nil, fmt.Errorf("has %d bytes, where an HMAC-SHA256 has %d", len(digest), sha256.Size)
}
