package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"petstore/docs/browsertest"
)

// proxied is a server behind nginx, configured as docs/proxy.md says.
type proxied struct {
	t      *testing.T
	origin string // of the proxy
	url    string // of the API below it
}

func startProxied(t *testing.T) proxied {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // where Debian has it, which is not on everybody's PATH
	}
	if _, err := os.Stat(binary); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs nginx")
	}
	app := startApp(t, 50*time.Millisecond)
	// nginx takes over a socket that listens (as when its binary is replaced): so its port is free for certain.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	address, folder := listener.Addr().String(), t.TempDir()
	conf := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf(t, folder, address, strings.TrimPrefix(app.URL(), "http://"))), 0o600); err != nil {
		t.Fatal(err)
	}
	nginx := exec.Command(binary, "-p", folder, "-e", "stderr", "-c", conf)
	nginx.ExtraFiles = []*os.File{socket}
	nginx.Env = append(os.Environ(), "NGINX=3;")
	nginx.Stderr = t.Output()
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		_ = nginx.Wait()
	})
	return proxied{t, "http://" + address, "http://" + address + "/petstore"}
}

// nginxConf is what docs/proxy.md says, and what a test needs.
func nginxConf(t *testing.T, folder, address, server string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```nginx\n")
	snippet, _, found := strings.Cut(rest, "```\n")
	if !found || !strings.Contains(snippet, "listen 80;") || !strings.Contains(snippet, "127.0.0.1:8080") {
		t.Fatalf("docs/proxy.md has another configuration: %s", snippet)
	}
	conf := "daemon off;\npid " + folder + "/pid;\nevents {}\nhttp {\naccess_log off;\n"
	if os.Geteuid() == 0 { // as whom it would become nobody, who cannot write to the folder
		conf = "user root;\n" + conf
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, folder, kind)
	}
	return conf + strings.NewReplacer("listen 80", "listen "+address, "127.0.0.1:8080", server).Replace(snippet) + "}\n"
}

// do sends a request to a path or URL, and decodes its answer, whose status is expected.
func (p proxied) do(method, url, contentType, body string, status int, headers ...string) (*http.Response, map[string]any) {
	p.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = p.origin + url
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.t.Fatalf("%s %s: %s, want %d: %v %s", method, url, res.Status, status, err, content)
	}
	var fields map[string]any
	_ = json.Unmarshal(content, &fields) // a picture is none
	return res, fields
}

func (p proxied) post(path, body string, status int) (*http.Response, map[string]any) {
	p.t.Helper()
	return p.do("POST", p.url+path, "application/json", body, status, "Prefer: wait=60")
}

// get asks for a path as an answer named it.
func (p proxied) get(path any, headers ...string) (*http.Response, map[string]any) {
	p.t.Helper()
	if text, _ := path.(string); !strings.HasPrefix(text, "/petstore/") {
		p.t.Errorf("%v is not below the prefix", path)
	}
	return p.do("GET", path.(string), "", "", http.StatusOK, headers...)
}

// member finds a member of an object in objects.
func member(object map[string]any, names ...string) any {
	for _, name := range names[:len(names)-1] {
		object, _ = object[name].(map[string]any)
	}
	return object[names[len(names)-1]]
}

func TestProxyPaths(t *testing.T) {
	p := startProxied(t)
	for range 2 {
		created, order := p.post("/api/orders", `{"product":"dog-food"}`, 201)
		if _, found := p.get(created.Header.Get("Location")); found["order_id"] != order["order_id"] {
			t.Errorf("Location leads to %v", found)
		}
	}
	list, _ := p.get("/petstore/api/orders?limit=1")
	link := regexp.MustCompile(`<(.*)>; rel="next"`).FindStringSubmatch(list.Header.Get("Link"))
	if link == nil {
		t.Fatalf("the list's headers are %v", list.Header)
	}
	p.get(link[1])
	if docs, _ := p.get("/petstore/docs"); docs.Request.URL.Path != "/petstore/docs/" {
		t.Errorf("/docs leads to %s", docs.Request.URL)
	}
	if _, contract := p.get("/petstore/docs/openapi.json"); member(contract["servers"].([]any)[0].(map[string]any), "url") != "/petstore/" {
		t.Errorf("the contract's servers are %v", contract["servers"])
	}
}

// TestProxyReport: what answers a request can be asked for below the prefix; what a callback says begins at the API.
func TestProxyReport(t *testing.T) {
	p := startProxied(t)
	_, report := p.post("/api/reports", `{"type":"sales","callback_url":"http://127.0.0.1:1/nobody","callback_events":["report.completed"]}`, 201)
	p.get(member(report, "result", "download"))
	_, task := p.get("/petstore/api/tasks/" + report["task_id"].(string))
	p.get(member(task, "result", "download"))
	_, deliveries := p.get("/petstore/api/callbacks?task_id=" + report["task_id"].(string))
	_, delivery := p.get("/petstore/api/callbacks/" + member(deliveries["items"].([]any)[0].(map[string]any), "delivery_id").(string))
	if path := member(delivery, "body", "result", "download"); path != "/api/reports/"+report["report_id"].(string)+"/download" {
		t.Errorf("the callback says %v", path)
	}
}

func TestProxyPictures(t *testing.T) {
	p := startProxied(t)
	image := p.upload("../../docs/ui/dog.png")
	variants := image["variants"].([]any)
	var picture any
	for _, v := range variants {
		picture = v.(map[string]any)["url"]
		if got, _ := p.get(picture); got.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%v is %s", picture, got.Header.Get("Content-Type"))
		}
	}
	product := fmt.Sprintf(`{"slug":"proxied","name":"Proxied","category":"dog","price":1,"image_url":%q}`, picture)
	created, shown := p.post("/api/products", product, 201)
	if picture == nil || shown["image_url"] != picture {
		t.Errorf("the product's picture is %v, want %v", shown["image_url"], picture)
	}
	where := created.Header.Get("Location")
	found, _ := p.get(where)
	p.do("PUT", where, "application/json", product, 200, "If-Match: "+found.Header.Get("ETag"))
	p.do("PATCH", where, "application/json", `{"price":2}`, 200)
	tagged, _ := p.get("/petstore/api/images/" + image["image_id"].(string))
	p.do("GET", tagged.Request.URL.Path, "", "", 304, "If-None-Match: "+tagged.Header.Get("ETag"))
}

// upload has a picture processed, and returns the image that came of it.
func (p proxied) upload(file string) map[string]any {
	p.t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", filepath.Base(file))
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = part.Write(content)
	form.Close()
	_, image := p.do("POST", p.url+"/api/images/process", form.FormDataContentType(), body.String(), 201, "Prefer: wait=60")
	return image
}

// TestProxyLive: streams are passed on as they come, and sockets are opened.
func TestProxyLive(t *testing.T) {
	p := startProxied(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/orders/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	p.post("/api/orders", `{"product":"dog-food"}`, 201)
	for text := ""; !strings.Contains(text, `"order.completed"`); {
		piece := make([]byte, 4096)
		n, err := stream.Body.Read(piece)
		if err != nil {
			t.Fatalf("%v after %q", err, text)
		}
		text += string(piece[:n])
	}
	for _, path := range []string{"/api/ws", "/socket.io/?EIO=4&transport=websocket"} {
		conn, _, err := websocket.Dial(ctx, p.url+path, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		_ = conn.CloseNow()
	}
}

// TestProxyDocs: Swagger UI works where it was loaded from.
func TestProxyDocs(t *testing.T) {
	p := startProxied(t)
	page := browsertest.Open(t, p.url+"/docs/#/orders/createOrder", 1400)
	page.Await(`document.querySelector(".opblock.is-open .execute")`)
	page.Click(execute)
	page.Await(delivered)
	page.Await(`document.querySelector(".opblock.is-open .request-url").textContent.includes("/petstore/api/orders")`)
}
