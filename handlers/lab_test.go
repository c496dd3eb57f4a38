package handlers_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"petstore/docs"
	"petstore/handlers"
)

// visit asks the pages of a server as a browser does, or as curl does.
func visit(api *handlers.API, path, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept", accept)
	api.ServeHTTP(w, r)
	return w
}

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// TestLab: browsers get the page and all that it links, curl a text.
func TestLab(t *testing.T) {
	api := handlers.New(handlers.Config{Hosts: exampleHosts})
	if text := visit(api, "/", "*/*"); !strings.HasPrefix(text.Body.String(), "Petstore: an API") {
		t.Errorf("curl gets %.100s", text.Body)
	}
	page := visit(api, "/", browser)
	if policy := page.Header().Get("Content-Security-Policy"); page.Code != 200 || !strings.HasPrefix(policy, "default-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Fatalf("a browser gets %d under the policy %q", page.Code, policy)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(links) < 8 {
		t.Fatalf("the page has only %d links", len(links))
	}
	for _, link := range links {
		if link[1] == "https://anakin.ai/blog/callback-api-design-explained" {
			continue // the article
		}
		path := "/" + strings.TrimPrefix(link[1], ".")
		if strings.HasPrefix(link[1], "/") || strings.Contains(link[1], "://") || visit(api, path, browser).Code != 200 {
			t.Errorf("%s is not relative, or is not there", link[1])
		}
	}
}

// TestLabSenders: where the lab says that something is sent, the statement is.
func TestLabSenders(t *testing.T) {
	var settings struct {
		Senders map[string][]docs.Source `json:"senders"`
	}
	answer := visit(handlers.New(handlers.Config{Hosts: exampleHosts}), "/lab/settings.json", "*/*")
	if err := json.Unmarshal(answer.Body.Bytes(), &settings); err != nil || len(settings.Senders) < 10 {
		t.Fatalf("%v in %s", err, answer.Body)
	}
	for name, statements := range settings.Senders {
		for _, s := range statements {
			file, err := os.ReadFile("../" + s.File)
			if err != nil {
				t.Error(err)
				continue
			}
			lines := strings.Split(string(file), "\n")
			if s.Line > len(lines) || !strings.Contains(lines[s.Line-1], s.Statement) {
				now := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, s.Statement) }) + 1
				t.Errorf("%s: %q is not at %s:%d, but %d lines below that: count anew in handlers/lab.go", name, s.Statement, s.File, s.Line, now-s.Line)
			}
		}
	}
}
