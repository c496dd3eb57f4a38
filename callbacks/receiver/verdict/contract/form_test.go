package contract

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// formDocument announces one webhook, with a form of either kind.
const formDocument = `
openapi: 3.1.1
info: {title: x, version: "1"}
webhooks:
  call:
    post:
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Call"}, encoding: &encoding {
            codes: {explode: false}, pipes: {style: pipeDelimited}, where: {style: deepObject, explode: true}, raw: {contentType: application/json}}}
          multipart/form-data: {schema: {$ref: "#/components/schemas/Call"}, encoding: *encoding}
      responses: {"200": {description: ok}}
components:
  schemas:
    Call:
      type: object
      required: [CallSid]
      additionalProperties: false
      allOf:
        - properties: {Price: {type: [number, "null"]}}
      properties:
        CallSid: {type: string, pattern: "^CA"}
        Duration: {type: integer, minimum: 0}
        Price: true
        Zip: {type: string}
        Recorded: {type: boolean}
        tags: {type: array, items: {type: string}, maxItems: 2}
        codes: {type: array, items: {type: integer}}
        pipes: {type: array, items: {type: integer}}
        where: {type: object, properties: {lat: {type: number}}, required: [lat]}
        payload: {type: object, properties: {ref: {type: string}}, required: [ref]}
        raw: {type: array, items: {type: object}}
        file: {type: string, maxLength: 5}
`

// TestForms has fields that are texts on the wire, and numbers, lists and objects in the contract.
func TestForms(t *testing.T) {
	t.Parallel()
	c := read(t, formDocument)
	for _, test := range []struct{ body, want string }{
		{"CallSid=CA1&Duration=3&Price=-0.5&Zip=00123&Recorded=true", "call"},
		{"CallSid=CA1&Duration=three", "call; /Duration: got string, want integer"},
		{"CallSid=CA1&Duration=-1", "call; /Duration: minimum: got -1, want 0"},
		{"CallSid=CA1&Duration=1&Duration=2", "call; /Duration: got array, want integer"},
		{"CallSid=CA1&Price=free", "call; /Price: got string, want null or number"},
		{"CallSid=CA1&Recorded=1", "call; /Recorded: got string, want boolean"},
		{"CallSid=CA1&Recorded=maybe", "call; /Recorded: got string, want boolean"},
		{"CallSid=1", "call; /CallSid: '1' does not match pattern '^CA'"},
		{"Duration=1", "call; /CallSid: missing"},
		{"CallSid=CA1&other=1", "call; /other: not declared"},
		{"CallSid=CA1&tags=a", "call"},
		{"CallSid=CA1&tags=a&tags=1&tags=c", "call; /tags: maxItems: got 3, want 2"},
		{"CallSid=CA1&codes=1,2", "call"},
		{"CallSid=CA1&codes=1,x", "call; /codes/1: got string, want integer"},
		{"CallSid=CA1&pipes=1%7C2", "call"},
		{"CallSid=CA1&where%5Blat%5D=1.5", "call"},
		{"CallSid=CA1&where[lat]=north", "call; /where/lat: got string, want number"},
		{"CallSid=CA1&where[lon]=1", "call; /where/lat: missing"},
		{"CallSid=CA1&payload=%7B%22ref%22%3A%22main%22%7D", "call"},
		{`CallSid=CA1&payload={"ref":1}`, "call; /payload/ref: got number, want string"},
		{"CallSid=CA1&payload=main", "call; /payload: got string, want object"},
		{`CallSid=CA1&payload=` + strings.Repeat(`{"a":`, maxDepth) + strings.Repeat("}", maxDepth), "call; /payload: got string, want object"},
		{`CallSid=CA1&raw=[{}]`, "call"},
		{`CallSid=CA1&raw=[1]`, "call; /raw/0: got number, want object"},
		{"CallSid=%zz", `call; : not a form: invalid URL escape "%zz"`},
	} {
		header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"}}
		if got := show(c.Check(Request{Method: "POST", Path: "/", Header: header, Body: []byte(test.body)}, nil)); got != test.want {
			t.Errorf("%.100s:\n got %s\nwant %s", test.body, got, test.want)
		}
	}
}

func TestMultipartForms(t *testing.T) {
	t.Parallel()
	c := read(t, formDocument)
	for _, test := range []struct {
		fields []string // names and values in turn
		file   string
		want   string
	}{
		{[]string{"CallSid", "CA1", "Duration", "3", "tags", "a", "tags", "b", "payload", `{"ref":"main"}`}, "\xff\x00", "call"},
		{[]string{"CallSid", "CA1", "Duration", "3.5"}, "", "call; /Duration: got number, want integer"},
		{nil, "a long file", "call; /CallSid: missing; /file: maxLength: got 11, want 5"},
	} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for i := 0; i < len(test.fields); i += 2 {
			_ = form.WriteField(test.fields[i], test.fields[i+1])
		}
		file, _ := form.CreateFormFile("file", "a.bin")
		_, _ = file.Write([]byte(test.file))
		_ = form.Close()
		r := Request{Method: "POST", Path: "/", Header: http.Header{"Content-Type": {form.FormDataContentType()}}, Body: body.Bytes()}
		if got := show(c.Check(r, nil)); got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.fields, got, test.want)
		}
		r.Body = r.Body[:len(r.Body)-10]
		if got := show(c.Check(r, nil)); got != "call; : not a form: multipart: NextPart: EOF" && got != "call; : not a form: unexpected EOF" {
			t.Errorf("broken off: %s", got)
		}
		r.Header = http.Header{"Content-Type": {"multipart/form-data"}}
		if got := show(c.Check(r, nil)); got != "call; : not a form: multipart: boundary is empty" {
			t.Errorf("no boundary: %s", got)
		}
	}
}
