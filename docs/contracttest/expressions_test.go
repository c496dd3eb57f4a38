package contracttest

import (
	"os"
	"strings"
	"testing"
)

func TestCheckRuntimeExpressions(t *testing.T) {
	t.Parallel()
	const callback, link = "{$request.body#/callback_url}", "$response.body#/order_id"
	tests := map[string]struct{ replace, with, report string }{
		"as it is":               {callback, callback, ""},
		"nested":                 {callback, "{$request.body#/target/url}", ""},
		"in a list":              {callback, "{$request.body#/items/0/product}", ""},
		"in an open object":      {callback, "{$request.body#/metadata/url}", ""},
		"in an alternative":      {callback, "{$request.body#/alternative}", ""},
		"escaped":                {callback, "{$request.body#/odd~1name}", ""},
		"part of a URL":          {callback, "https://example.com/{$request.body#/product}?to={$request.body#/callback_url}", ""},
		"header, any case":       {callback, "{$request.header.x-callback}", ""},
		"query":                  {callback, "{$request.query.to}", ""},
		"of the response":        {callback, "{$response.body#/order_id}", ""},
		"response header":        {callback, "{$response.header.location}", ""},
		"URL itself":             {callback, "{$url}", ""},
		"missing field":          {callback, "{$request.body#/nope}", "$request.body#/nope"},
		"missing, second":        {callback, "{$request.body#/callback_url}/{$request.body#/nope}", "$request.body#/nope"},
		"below a string":         {callback, "{$request.body#/callback_url/x}", "callback_url/x"},
		"not a list":             {callback, "{$request.body#/target/0}", "target/0"},
		"missing header":         {callback, "{$request.header.X-Nope}", "X-Nope"},
		"header as query":        {callback, "{$request.query.X-Callback}", "X-Callback"},
		"misspelt":               {callback, "{$requst.body#/callback_url}", "requst"},
		"missing in response":    {callback, "{$response.body#/nope}", "$response.body#/nope"},
		"link: missing field":    {link, "$response.body#/nope", "link order"},
		"link: missing header":   {link, "$response.header.Nope", "link order"},
		"link: no operation":     {"operationId: deleteOrder # linked", "operationId: nope", `"nope"`},
		"link: no parameter":     {"order_id: $response", "nope: $response", `no parameter "nope"`},
		"link: a constant is ok": {link, "ord_1", ""},
	}
	document, err := os.ReadFile("testdata/fixture.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(document), test.replace) {
				t.Fatalf("the fixture has no %s", test.replace)
			}
			c, err := New([]byte(strings.Replace(string(document), test.replace, test.with, 1)))
			if err != nil {
				t.Fatal(err)
			}
			err = c.checkRuntimeExpressions()
			if test.report == "" && err != nil {
				t.Error(err)
			}
			if test.report != "" && (err == nil || !strings.Contains(err.Error(), test.report)) {
				t.Errorf("error is %v, want one that says %q", err, test.report)
			}
		})
	}
}
