package receiver

import (
	"fmt"
	"net/http"
	"strings"

	"petstore/callbacks"
)

// toNowhere answers what no inbox and no route is for. It is listed all the same: a callback URL with a typing error would
// otherwise be silent at both ends.
func (rc *Receiver) toNowhere(a *arrival, r *http.Request) {
	p := &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "There is nothing at this path: " + a.Hint}
	if rc.callbackRoutes[a.Path] != nil {
		a.w.Header().Set("Allow", http.MethodPost)
		p = noMethod(a.w, r)
	}
	fail(a.w, p)
}

// hint says what may have been meant by a request that is for nothing.
func hint(r *http.Request) string {
	path := r.URL.Path
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if near := nearest(strings.ToLower(path)); near != "" {
			return "did you mean " + near + "?"
		}
	}
	if rest, found := strings.CutPrefix(path+"/", "/in/"); found {
		if strings.Trim(rest, "/") != "" {
			return "the name of an inbox is 1 to 100 letters, digits or any of . _ ~ -, and not unmatched"
		}
		path = ""
	}
	return fmt.Sprintf("any path is taken beneath /in/{inbox}, such as /in/mine%s", clip(path))
}

// nearest is the callback path that looks most like path; "" if none does.
func nearest(path string) string {
	best, least := "", 0
	for _, kind := range callbacks.Kinds {
		if kind.Path == "" {
			continue
		}
		// Beginnings count: /callbacks/orders is meant to be order-status, though fewer letters make it reports.
		common := commonPrefix(path, kind.Path)
		score := distance(path, kind.Path) - 2*common
		if best == "" || score < least {
			best, least = kind.Path, score
		}
	}
	if most := len(best) / 2; distance(path, best) > most {
		return ""
	}
	return best
}

func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// distance is how many letters have to be added, taken away or changed to make b of a (Levenshtein). Of a long
// text only the beginning is looked at.
func distance(a, b string) int {
	const most = 100
	a = a[:min(len(a), most)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
