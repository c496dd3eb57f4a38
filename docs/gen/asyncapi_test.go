package main

import (
	"strings"
	"testing"
)

// TestDescribeStreams: what is named is there, with what that names, and nothing else; what is nowhere is an error.
func TestDescribeStreams(t *testing.T) {
	t.Parallel()
	const contract = `{"components":{"schemas":{"A":{"$ref":"#/components/schemas/B"},"B":{"type":"string"},"C":{"type":"null"}}}}`
	got, err := describeStreams([]byte(`{"asyncapi":"3.0.0","x":{"$ref":"#/components/schemas/A"},"components":{"schemas":{}}}`), []byte(contract))
	if err != nil || !strings.Contains(string(got), "    A:") || !strings.Contains(string(got), "    B:") || strings.Contains(string(got), "    C:") {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := describeStreams([]byte(`{"x":{"$ref":"#/components/schemas/D"},"components":{"schemas":{}}}`), []byte(contract)); err == nil {
		t.Error("a schema that is nowhere is no error")
	}
}
