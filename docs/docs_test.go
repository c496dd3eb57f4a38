package docs_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"petstore/docs"
)

func TestYAMLIsTheFileAtTheTop(t *testing.T) {
	t.Parallel()
	top, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(top, docs.YAML) {
		t.Error("openapi.yaml and docs/openapi.yaml differ: run `go generate ./docs`")
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestUI(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("GET /any/prefix/", http.StripPrefix("/any/prefix", docs.UI("")))
	mux.HandleFunc("GET /any/{$}", func(http.ResponseWriter, *http.Request) {}) // the lab
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	page := server.URL + "/any/prefix/"

	resp, html := get(t, page)
	if resp.StatusCode != http.StatusOK || !strings.Contains(html, "<title>Pet Store API</title>") {
		t.Fatalf("%s answers %s: %s", page, resp.Status, html)
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self';") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(html, -1)
	if len(links) < 5 {
		t.Fatalf("the page has only %d links", len(links))
	}
	for _, link := range links {
		if strings.HasPrefix(link[1], "/") || strings.Contains(link[1], "://") {
			t.Errorf("%s is not relative", link[1])
		}
		if resp, _ := get(t, page+link[1]); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", link[1], resp.Status)
		}
	}
	answer := httptest.NewRecorder()
	docs.UI("http://127.0.0.1:9090").ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if !strings.Contains(answer.Body.String(), `<a href="http://127.0.0.1:9090/">Receiver</a>`) {
		t.Errorf("the page does not link the receiver: %s", answer.Body)
	}
	if resp, _ := get(t, page+"nope"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown file: %s", resp.Status)
	}
}

// TestContractFiles: what is served is the contract, with the addresses as they are.
func TestContractFiles(t *testing.T) {
	t.Parallel()
	for path, file := range map[string]struct {
		mediaType string
		content   []byte
	}{
		"/openapi.yaml": {"application/yaml", docs.YAML},
		"/openapi.json": {"application/json", docs.JSON()},
	} {
		for _, test := range []struct{ host, server, receiver, callback string }{
			{"127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:9090", "http://127.0.0.1:9090"},
			{"pets.example:81", "pets.example:81", "http://[::1]:7", "http://[::1]:7"},
			{"[::1]:81", "[::1]:81", "", "https://client.example"},
			{`x"y`, "127.0.0.1:8080", "", "https://client.example"},
		} {
			want := strings.NewReplacer("http://127.0.0.1:8080", "http://"+test.server, "http://127.0.0.1:9090", test.callback).Replace(string(file.content))
			answer, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			request.Host = test.host
			docs.UI(test.receiver).ServeHTTP(answer, request)
			if got := answer.Header().Get("Content-Type"); got != file.mediaType {
				t.Errorf("Content-Type is %s, want %s", got, file.mediaType)
			}
			if got := answer.Body.String(); got != want || !strings.Contains(got, test.callback+"/callbacks/order-status") {
				t.Errorf("%s: other content for %+v", path, test)
			}
		}
	}
}

// TestContractBelowPrefix: the server is named as a client reaches it through a proxy.
func TestContractBelowPrefix(t *testing.T) {
	t.Parallel()
	ui := docs.UI("")
	for _, path := range []string{"/openapi.yaml", "/openapi.json"} {
		for prefix, want := range map[string]string{"": "/", "/petstore": "/petstore/", "/x\"y": "/"} {
			answer, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			request.Header.Set("X-Forwarded-Prefix", prefix)
			ui.ServeHTTP(answer, request)
			var contract struct {
				Servers []struct{ URL string } `yaml:"servers"`
			}
			if err := yaml.Unmarshal(answer.Body.Bytes(), &contract); err != nil {
				t.Fatal(err)
			}
			picture := "http://example.com" + want + "docs/dog.png"
			if got := contract.Servers; len(got) != 1 || got[0].URL != want || want != "/" && !strings.Contains(answer.Body.String(), picture) {
				t.Errorf("%q: the servers are %v", prefix, got)
			}
		}
	}
}
