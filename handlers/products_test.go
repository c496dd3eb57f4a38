package handlers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const catToy = `{"slug":"cat-toy","name":"Cat toy","description":"A mouse of felt.","category":"cat","price":499,"stock":12,"tags":["toy","felt"],"image_url":"/mouse.jpg"}`

func TestProductLife(t *testing.T) {
	a := newAPI(t, settings{})
	created := a.do("POST", "/api/products", catToy).want(201)
	toy := read[product](created)
	at := "/api/products/" + toy.ProductID
	if created.Header.Get("Location") != at || created.Header.Get("ETag") != `"1"` {
		t.Errorf("Location and ETag are %v", created.Header)
	}
	if fmt.Sprint(toy) != fmt.Sprintf("{%s cat-toy Cat toy A mouse of felt. cat 499 USD 12 [toy felt] /mouse.jpg}", toy.ProductID) {
		t.Errorf("created is %+v", toy)
	}
	for _, path := range []string{at, "/api/products/cat-toy"} {
		if got := read[product](a.do("GET", path, "").want(200)); fmt.Sprint(got) != fmt.Sprint(toy) {
			t.Errorf("GET %s is %+v", path, got)
		}
	}

	replacement := `{"slug":"cat-toy","name":"Felt mouse","category":"cat","price":599}`
	replaced := a.do("PUT", at, replacement, `If-Match: "1"`).want(200)
	if got := read[product](replaced); replaced.Header.Get("ETag") != `"2"` || got.Name != "Felt mouse" || got.Stock != 0 || len(got.Tags) != 0 {
		t.Errorf("replaced is %+v, ETag %s", got, replaced.Header.Get("ETag"))
	}
	a.do("PUT", at, replacement, `If-Match: "1"`).want(412)
	a.do("PATCH", at, `{"price":1}`, `If-Match: "1"`).want(412)
	a.do("DELETE", at, "", `If-Match: "1"`).want(412)
	a.do("DELETE", at, "", `If-Match: "2"`).want(204)
	for _, method := range []string{"GET", "DELETE"} {
		a.do(method, at, "").want(404)
	}
	a.do("PUT", at, replacement).want(404)
	a.do("PATCH", at, `{"price":1}`).want(404)
}

func TestConditionalGet(t *testing.T) {
	a := newAPI(t, settings{})
	const at = "/api/products/dog-food"
	tests := map[string]int{
		``: 200, `"1"`: 304, `W/"1"`: 304, `"0", "1"`: 304, `*`: 304,
		`"2"`: 200, `1`: 200, `"1`: 200, `garbage`: 200, strings.Repeat(`"x",`, 1000): 200,
	}
	for tag, want := range tests {
		got := a.do("GET", at, "", "If-None-Match: "+tag).want(want)
		if got.Header.Get("ETag") != `"1"` {
			t.Errorf("%s: the ETag is %s", tag, got.Header.Get("ETag"))
		}
		if want == 304 && len(got.body) > 0 {
			t.Errorf("%s: 304 with a body", tag)
		}
	}
	head := a.do("HEAD", at, "").want(200)
	if head.Header.Get("ETag") != `"1"` || head.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("HEAD answers %v", head.Header)
	}
}

func TestIfMatch(t *testing.T) {
	a := newAPI(t, settings{})
	const at = "/api/products/dog-food"
	for _, tag := range []string{`1`, `W/"1"`, `"x"`, `"1x"`, `"01"`, `"-1"`, `"0"`, `"99999999999999999999"`} {
		a.do("PATCH", at, `{"price":1}`, "If-Match: "+tag).want(412).names("If-Match")
		a.do("DELETE", at, "", "If-Match: "+tag).want(412).names("If-Match")
	}
	a.do("PATCH", at, `{"price":1}`, "If-Match: *").want(200)
}

func TestPatchProduct(t *testing.T) {
	a := newAPI(t, settings{})
	a.do("POST", "/api/products", catToy).want(201)
	tests := []struct {
		patch string
		want  string // what the product then shows, or the field that is wrong
		code  int
	}{
		{`{}`, `[499 USD 12 [toy felt] "A mouse of felt." "/mouse.jpg"]`, 200},
		{`{"price":500,"tags":["b","a"]}`, `[500 USD 12 [b a] "A mouse of felt." "/mouse.jpg"]`, 200},
		{`{"currency":"EUR"}`, `[500 EUR 12 [b a] "A mouse of felt." "/mouse.jpg"]`, 200},
		{`{"currency":null}`, `[500 USD 12 [b a] "A mouse of felt." "/mouse.jpg"]`, 200},
		{`{"description":null,"stock":null}`, `[500 USD 0 [b a] "" "/mouse.jpg"]`, 200},
		{`{"tags":null,"image_url":null}`, `[500 USD 0 [] "" ""]`, 200},
		{`{"price":0}`, `[0 USD 0 [] "" ""]`, 200},

		{`{"name":null}`, "name", 422},
		{`{"price":null}`, "price", 422},
		{`{"slug":null}`, "slug", 422},
		{`{"category":""}`, "category", 422},
		{`{"slug":"Cat toy"}`, "slug", 422},
		{`{"slug":"cat-food"}`, "slug", 409},
		{`{"price":-1}`, "price", 422},
		{`{"price":1.5}`, "price", 422},
		{`{"price":"1"}`, "price", 422},
		{`{"price":1e400}`, "price", 422},
		{`{"currency":"XXQ"}`, "currency", 422},
		{`{"tags":"toy"}`, "tags", 422},
		{`{"tags":[null]}`, "tags[0]", 422},
		{`{"tags":["a",""]}`, "tags[1]", 422},
		{`{"tags":["a","a"]}`, "tags", 422},
		{`{"image_url":"javascript:alert(1)"}`, "image_url", 422},
		{`{"colour":"red"}`, "colour", 422},
		{`{"colour":null}`, "colour", 422},
		{`{"Price":1}`, "Price", 422},
		{`{"price":1,"price":2}`, "price", 400},
	}
	for _, test := range tests {
		for _, mediaType := range []string{"application/json", "application/merge-patch+json; charset=utf-8"} {
			got := a.do("PATCH", "/api/products/cat-toy", test.patch, "Content-Type: "+mediaType).want(test.code)
			if test.code != 200 {
				got.names(test.want)
				continue
			}
			p := read[product](got)
			if shown := fmt.Sprintf("[%d %s %d %v %q %q]", p.Price, p.Currency, p.Stock, p.Tags, p.Description, p.ImageURL); shown != test.want {
				t.Errorf("after %s it is %s, want %s", test.patch, shown, test.want)
			}
		}
	}
	for _, patch := range []string{`[]`, `null`, `"x"`, `1`, `[{"op":"remove","path":"/name"}]`} {
		a.do("PATCH", "/api/products/cat-toy", patch).want(400)
	}
}

func TestSlugIsTaken(t *testing.T) {
	a := newAPI(t, settings{})
	body := strings.Replace(catToy, "cat-toy", "dog-food", 1)
	a.do("POST", "/api/products", body).want(409).names("slug")
	a.do("PUT", "/api/products/cat-food", body).want(409).names("slug")
	a.do("PUT", "/api/products/dog-food", body).want(200)
}

func TestProductFilters(t *testing.T) {
	a := newAPI(t, settings{})
	a.do("POST", "/api/products", `{"slug":"odd","name":"100% _odd_ \\ ÄPFEL","category":"dog","price":0}`).want(201)
	tests := map[string]string{
		"":                                  "odd dog-food dog-leash cat-food cat-tree aquarium-60 bird-seed",
		"category=dog":                      "odd dog-food dog-leash",
		"category=DOG":                      "",
		"tag=food":                          "dog-food cat-food bird-seed",
		"tag=food&category=cat":             "cat-food",
		"min_price=1899&max_price=2499":     "dog-food cat-food",
		"max_price=0":                       "odd",
		"min_price=5&max_price=4":           "",
		"in_stock=false":                    "odd",
		"in_stock=true&category=dog":        "dog-food dog-leash",
		"q=FOOD":                            "dog-food cat-food",
		"q=sunflower":                       "bird-seed",
		"q=%25":                             "odd",
		"q=_":                               "odd",
		"q=%5C":                             "odd",
		"q=food&category=cat&in_stock=true": "cat-food",
		"limit=2":                           "odd dog-food",
	}
	for query, want := range tests {
		var slugs []string
		for _, p := range read[page[product]](a.do("GET", "/api/products?"+query, "").want(200)).Items {
			slugs = append(slugs, p.Slug)
		}
		if got := strings.Join(slugs, " "); got != want {
			t.Errorf("?%s: %s, want %s", query, got, want)
		}
	}
}

// TestPagesNeverRepeatOrSkip walks the pages while products come and go.
func TestPagesNeverRepeatOrSkip(t *testing.T) {
	a := newAPI(t, settings{})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	made := 0
	add := func() string {
		made++
		return read[product](a.do("POST", "/api/products", fmt.Sprintf(`{"slug":"p%d","name":"P","category":"walk","price":1}`, made)).want(201)).ProductID
	}
	for range 8 {
		var before []string // newest first, all of it there from the start of the walk
		for p := range pages[product](a, "/api/products?limit=100&category=walk") {
			before = append(before, p.ProductID)
		}
		for len(before) < 12 {
			before = slices.Insert(before, 0, add())
		}
		removed := map[string]bool{}
		var seen []string
		for p := range pages[product](a, fmt.Sprintf("/api/products?category=walk&limit=%d", 1+random.IntN(4))) {
			seen = append(seen, p.ProductID)
			switch victim := before[random.IntN(len(before))]; random.IntN(4) {
			case 0:
				add()
			case 1:
				if !removed[victim] {
					removed[victim] = true
					a.do("DELETE", "/api/products/"+victim, "").want(204)
				}
			}
		}
		if len(seen) != len(slices.Compact(slices.Sorted(slices.Values(seen)))) {
			t.Fatalf("seed %d: a product came twice: %v", seed, seen)
		}
		stayed := slices.DeleteFunc(before, func(id string) bool { return removed[id] })
		seen = slices.DeleteFunc(seen, func(id string) bool { return removed[id] })
		if !slices.Equal(seen, stayed) {
			t.Fatalf("seed %d: walked %v, want %v", seed, seen, stayed)
		}
	}
}
