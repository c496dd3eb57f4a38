package verdict

import (
	"bytes"
	"encoding/json"

	"petstore/callbacks"
)

// explain finds what a signature that does not fit was made of, among the mistakes that senders make most. It
// returns " It fits …", or "" if it is none of them.
func explain(r *Request, s *scheme, c claim, secret string) string {
	if len(r.Body) > MaxBody {
		return ""
	}
	key, _ := s.key(secret) // It has been used before.
	for _, content := range otherContents(r, c.prefix) {
		if c.fits(s, key, content.prefix, content.body) {
			return " It fits " + content.what + "."
		}
	}
	for _, other := range otherKeys(s, secret) {
		if string(other.key) != string(key) && c.fits(s, other.key, c.prefix, r.Body) {
			return " It fits " + other.what + "."
		}
	}
	return ""
}

type content struct {
	what, prefix string
	body         []byte
}

func otherContents(r *Request, prefix string) []content {
	trimmed := bytes.TrimSpace(r.Body)
	all := []content{
		{"the body without the white space around it", prefix, trimmed},
		{"the body with a line end after it", prefix, append(bytes.Clone(r.Body), '\n')},
		{"an empty body", prefix, nil},
	}
	var compact, indented bytes.Buffer
	if json.Compact(&compact, r.Body) == nil && json.Indent(&indented, r.Body, "", "  ") == nil {
		all = append(
			all,
			content{"the same JSON without white space: it was signed before it was encoded again", prefix, compact.Bytes()},
			content{"the same JSON indented by two: it was signed before it was encoded again", prefix, indented.Bytes()},
		)
	}
	if prefix != "" {
		all = append(all, content{"the body alone, without " + quotedPrefix(prefix) + " before it", "", r.Body})
	}
	return all
}

func quotedPrefix(prefix string) string { return "“" + clip(prefix, 100) + "”" }

type otherKey struct {
	what string
	key  []byte
}

func otherKeys(s *scheme, secret string) []otherKey {
	all := []otherKey{
		{"the secret's text, taken as it is", []byte(secret)},
		{"a secret with a line end after it", []byte(secret + "\n")},
	}
	if decoded, err := standardKey(secret); err == nil {
		all = append(all, otherKey{"the secret base64-decoded after whsec_, as Standard Webhooks has it", decoded})
	}
	if key, err := s.key(callbacks.DevelopmentSecret); err == nil {
		all = append(all, otherKey{"the development secret, " + callbacks.DevelopmentSecret, key})
	}
	return all
}
