package docs

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStatusesHaveTheirColour (faults 29, another instance): in the panel beside the contract each status of a task and of a
// delivery that the contract knows has a colour that says the same: red is what is lost, green what is done.
func TestStatusesHaveTheirColour(t *testing.T) {
	script, err := ui.ReadFile("ui/callbacks.js")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"processing": "wait", "completed": "good", "failed": "bad", "cancelled": "bad",
		"pending": "wait", "delivered": "good", "exhausted": "bad", "gone": "bad", "superseded": "", // the pill's own: nothing is lost
	}
	colours := map[string]string{}
	for _, rule := range regexp.MustCompile(`(?m)^ *(\.cb-pill\.cb-.*) \{ color: var\(--cb-(\w+)\)`).FindAllSubmatch(script, -1) {
		for selector := range strings.SplitSeq(string(rule[1]), ", ") {
			colours[strings.TrimPrefix(selector, ".cb-pill.cb-")] = string(rule[2])
		}
	}
	statuses := contractStatuses(t)
	for _, status := range statuses {
		if colour, known := want[status]; !known || colours[status] != colour {
			t.Errorf("%s has the colour %q, want %q", status, colours[status], colour)
		}
	}
	if len(statuses) != len(want) {
		t.Errorf("the contract has %v", statuses)
	}
}

// contractStatuses are those of all tasks and deliveries.
func contractStatuses(t *testing.T) (statuses []string) {
	t.Helper()
	var contract any
	if err := json.Unmarshal(JSON(), &contract); err != nil {
		t.Fatal(err)
	}
	var look func(node any)
	look = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, item := range node {
				look(item)
			}
		case map[string]any:
			if values, ok := node["enum"].([]any); ok && (slices.Contains(values, any("processing")) || slices.Contains(values, any("pending"))) {
				for _, value := range values {
					if text, ok := value.(string); ok && !slices.Contains(statuses, text) {
						statuses = append(statuses, text)
					}
				}
			}
			for _, item := range node {
				look(item)
			}
		}
	}
	look(contract)
	return statuses
}
