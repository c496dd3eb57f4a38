package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strings"

	"petstore/callbacks"
)

const (
	// minSecret is how many bytes a secret has at least in production, and minEntropy how
	// many bits it holds: 16 letters and digits at random have 60 to 95.
	minSecret  = 16
	minEntropy = 40
)

// triedFirst is what is tried first by whoever guesses a secret. It makes one no stronger.
var triedFirst = regexp.MustCompile(`(?i)passw[o0]rd|secret|change[-_ ]?me|qwerty(uiop)?|asdfgh(jkl)?|zxcvbnm?|letmein|admin|petstore|callbacks?|webhooks?|your|my|key|here`)

// strongSecret reports whether a secret is fit for production. What matters is how hard it is
// to guess, of which its length says little: it may be blanks, or the public secret and
// something more.
func strongSecret(secret string) bool {
	key := keyOf(strings.TrimSpace(secret))
	return len(key) >= minSecret && !hasPublic(secret, key) && entropy(triedFirst.ReplaceAll(key, nil)) >= minEntropy
}

// hasPublic reports whether the secret for development is in a secret, however it is spelled.
func hasPublic(secret string, key []byte) bool {
	public := keyOf(callbacks.DevelopmentSecret)
	if bytes.Contains(bytes.ToLower(key), public) {
		return true
	}
	return slices.ContainsFunc([]string{base64.StdEncoding.EncodeToString(public), hex.EncodeToString(public)}, func(spelled string) bool {
		return strings.Contains(strings.ToLower(secret), strings.ToLower(spelled))
	})
}

// keyOf is what a secret means: after whsec_, base64 of the key.
func keyOf(secret string) []byte {
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		key, _ := base64.StdEncoding.DecodeString(encoded) // readConfig has decoded it
		return key
	}
	return []byte(secret)
}

// entropy estimates how many bits key holds, of what is not repeated in it: by how evenly
// its bytes are spread (Shannon), and the steps between neighbours, which in "abcdefgh" are
// all the same. A library (zxcvbn) does it better, but reads its dictionaries whenever the program starts: 50 ms and 18 MB.
func entropy(key []byte) float64 {
	key = key[:period(key)]
	steps := make([]byte, len(key))
	for i := range key {
		steps[i] = key[i] - key[(i+1)%len(key)]
	}
	return float64(len(key)) * min(spread(key), spread(steps))
}

// period is the length of what key repeats, or its own.
func period(key []byte) int {
	for n := 1; n <= len(key)/2; n++ {
		if string(key[n:]) == string(key[:len(key)-n]) {
			return n
		}
	}
	return len(key)
}

// spread is Shannon's entropy of a byte, in bits.
func spread(bytes []byte) (bits float64) {
	var counts [256]float64
	for _, b := range bytes {
		counts[b]++
	}
	for _, n := range counts {
		if n > 0 {
			share := n / float64(len(bytes))
			bits -= share * math.Log2(share)
		}
	}
	return bits
}
