package verdict

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// signatures judges the signature by each scheme that the request is signed with, or that is asked for, and the
// timestamp of those that have one.
func (rules *Rules) signatures(r *Request) []Verdict {
	signed := rules.schemesOf(r)
	if len(signed) == 0 {
		return []Verdict{rules.unsigned(r)}
	}
	var all []Verdict
	for _, s := range signed {
		c, err := s.read(r)
		if err != nil {
			all = append(all, s.verdict(SignatureMalformed, "%s %s.", s.header, err))
			continue
		}
		all = append(all, rules.signature(r, s, c))
		if c.timestamp != "" {
			all = append(all, timestamp(r, s, c.timestamp))
		}
	}
	return all
}

// schemesOf finds how a request is signed. Of Standard Webhooks' two versions it is the one that the secret is for,
// if the request has both.
func (rules *Rules) schemesOf(r *Request) []*scheme {
	var found []*scheme
	for i := range schemes {
		s := &schemes[i]
		if (rules.scheme == "" || rules.scheme == s.name) && r.header(s.header) != "" {
			found = append(found, s)
		}
	}
	v1, v1a := hasVersion(r, "v1,"), hasVersion(r, "v1a,")
	asymmetric := v1a && (!v1 || strings.HasPrefix(rules.secret, publicPrefix))
	return slices.DeleteFunc(found, func(s *scheme) bool {
		return s.name == SchemeStandard && strings.HasSuffix(s.title, "v1a") != asymmetric
	})
}

// signature judges what the request claims.
func (rules *Rules) signature(r *Request, s *scheme, c claim) Verdict {
	if rules.secret == "" {
		return s.verdict(SignatureUnchecked, "%s is there, in %s. It is not checked: no secret is set. An inbox can be given one.", s.title, s.header)
	}
	if r.Truncated {
		return s.verdict(SignatureUnchecked, "%s is over a body of which only the beginning was kept.", s.title)
	}
	key, err := s.key(rules.secret)
	if err != nil {
		return s.verdict(SignatureUnchecked, "%s is there, in %s. The secret of this inbox %s.", s.title, s.header, err)
	}
	if c.fits(s, key, c.prefix, r.Body) {
		return s.verdict(SignatureOK, "%s fits the body and the secret.", s.title)
	}
	return s.verdict(SignatureMismatch, "%s, in %s, does not fit the body and the secret.%s", s.title, s.header, explain(r, s, c, rules.secret))
}

// unsigned is the verdict on a request that has none of the headers looked for.
func (rules *Rules) unsigned(r *Request) Verdict {
	if rules.scheme == "" && rules.secret == "" {
		return Verdict{Code: SignatureUnchecked, Check: CheckSignature, OK: true, Source: articleSource, Text: "It is not signed, and no secret is set."}
	}
	s := firstOf(rules.scheme)
	looked := "no " + s.header
	if rules.scheme == "" {
		looked = "none of the headers that have a signature, such as " + s.header
	}
	v := s.verdict(SignatureMissing, "It has %s.%s", looked, unknownSignature(r))
	v.Scheme = rules.scheme
	return v
}

// firstOf is the first scheme of that name, or of all.
func firstOf(name string) *scheme {
	i := slices.IndexFunc(schemes, func(s scheme) bool { return s.name == name })
	return &schemes[max(i, 0)]
}

// unknownSignature names a header that looks as if it had a signature, of a scheme that we don't know.
func unknownSignature(r *Request) string {
	for _, h := range r.Headers {
		name := strings.ToLower(h.Name)
		if strings.Contains(name, "signature") || strings.Contains(name, "hmac") {
			return fmt.Sprintf(" (%s was not looked at.)", clip(h.Name, 60))
		}
	}
	return ""
}

// fits reports whether one of the signatures is of prefix and body.
func (c claim) fits(s *scheme, key []byte, prefix string, body []byte) bool {
	content := make([]byte, 0, len(prefix)+len(body))
	content = append(append(content, prefix...), body...)
	return slices.ContainsFunc(c.signatures, func(signature []byte) bool { return s.verify(key, content, signature) })
}

func hmacFits(key, content, signature []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return hmac.Equal(mac.Sum(nil), signature)
}

// verdict is one on a signature made by s.
func (s *scheme) verdict(code, format string, args ...any) Verdict {
	return Verdict{
		Code: code, Check: CheckSignature, OK: code == SignatureOK || code == SignatureUnchecked,
		Text: fmt.Sprintf(format, args...), Source: s.source, Scheme: s.name,
	}
}

// clip keeps a sender's text from filling a sentence.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
