package callbacks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	raw := func(s string) any { return json.RawMessage(s) }
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"nil", nil, `null`},
		{"nil update", (*Update)(nil), `null`},
		{"white space", raw(" { \"a\" :\t[ 1 ,\n2 ] , \"b\" : { } , \"c\":[ ] , \"d\": true }\r\n"), `{"a":[1,2],"b":{},"c":[],"d":true}`},
		{"no HTML escapes", "<a href='x'>&</a>", `"<a href='x'>&</a>"`},
		{"line separators are raw", "\u2028\u2029", "\"\u2028\u2029\""},
		{"short escapes", "\b\f\n\r\t\"\\/", `"\b\f\n\r\t\"\\/"`},
		{"other controls", "\x00\x01\x1f\x7f", `"\u0000\u0001\u001f` + "\x7f\""},
		{"needless escapes", raw(`"\u0041\/\u00e9\uD83D\uDE00\u000a\u001F\u2028"`), "\"A/é😀\\n\\u001f\u2028\""},
		{"lone surrogates", raw(`"\uD800x\uDC00\ud800\ud800\udc00"`), `"\ud800x\udc00\ud800` + "𐀀\""},
		{"invalid UTF-8", "a\xffb\xed\xa0\x80", "\"a\ufffdb\ufffd\ufffd\ufffd\""},
		{"invalid UTF-8 in raw JSON", raw("\"a\xffb\""), "\"a\ufffdb\""},
		{"array indices first", raw(`{"b":1,"10":2,"2":3,"a":4,"0":5}`), `{"0":5,"2":3,"10":2,"b":1,"a":4}`},
		{"largest array index", raw(`{"4294967295":1,"4294967294":2,"01":3,"-1":4,"1.0":5,"":6}`), `{"4294967294":2,"4294967295":1,"01":3,"-1":4,"1.0":5,"":6}`},
		{"index written with an escape", raw(`{"a":1,"\u0031":2}`), `{"1":2,"a":1}`},
		{"duplicates", raw(`{"a":{"x":1},"b":2,"\u0061":{"y":3}}`), `{"a":{"y":3},"b":2}`},
		{"duplicates and indices", raw(`{"a":{"z":{}},"1":1,"a":2,"0":0,"1":3}`), `{"0":0,"1":3,"a":2}`},
		{"__proto__", raw(`{"__proto__":1,"constructor":2,"__proto__":{"a":1}}`), `{"__proto__":{"a":1},"constructor":2}`},
		{"nested order", raw(`[{"a":{"b":1,"0":{"c":1,"1":2}},"7":0}]`), `[{"7":0,"a":{"0":{"1":2,"c":1},"b":1}}]`},
		{"map", map[string]int{"b": 1, "a": 2, "12": 3, "3": 4}, `{"3":4,"12":3,"a":2,"b":1}`},
		{"zeros", raw(`[0,-0,0.0,-0.0e5,1e-400]`), `[0,0,0,0,0]`},
		{"exponents", raw(`[1e21,1e20,123456789012345678901234,1e-6,1e-7,1.5E-10,5e-324,-1E+3]`), `[1e+21,100000000000000000000,1.2345678901234569e+23,0.000001,1e-7,1.5e-10,5e-324,-1000]`},
		{"precision", raw(`[9007199254740993,0.1,1.10,0.30000000000000004,4.35]`), `[9007199254740992,0.1,1.1,0.30000000000000004,4.35]`},
		{"too large for a double", raw(`[1e400,-1e400,1]`), `[null,null,1]`},
		{"integers", []int64{math.MaxInt64, math.MinInt64, 1<<53 + 1}, `[9223372036854776000,-9223372036854776000,9007199254740992]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Encode(test.in)
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestEncodeManyMembers(t *testing.T) {
	var in, want strings.Builder
	for i := range 100 {
		fmt.Fprintf(&in, `"%d":%d,"k%d":0,"k%d":1,`, 99-i, i, i, i)
	}
	for i := range 100 {
		fmt.Fprintf(&want, `"%d":%d,`, i, 99-i)
	}
	for i := range 100 {
		fmt.Fprintf(&want, `"k%d":1,`, i)
	}
	got, err := Encode(json.RawMessage("{" + strings.TrimSuffix(in.String(), ",") + "}"))
	if err != nil || string(got) != "{"+strings.TrimSuffix(want.String(), ",")+"}" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want error
	}{
		{"no JSON", json.RawMessage(`{"a":}`), ErrJSON},
		{"empty", json.RawMessage(``), ErrJSON},
		{"two values", json.RawMessage(`1 2`), ErrJSON},
		{"deep array", json.RawMessage(strings.Repeat("[", 1001) + strings.Repeat("]", 1001)), ErrDepth},
		{"deep object", json.RawMessage(strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001)), ErrDepth},
		{"deeper than Go reads", json.RawMessage(strings.Repeat("[", 1<<20)), ErrJSON},
		{"result of an update", Update{Result: json.RawMessage(`x`)}, ErrJSON},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := Encode(test.in); !errors.Is(err, test.want) {
				t.Errorf("got %.60s, %v; want %v", got, err, test.want)
			}
		})
	}
	var unsupported *json.UnsupportedTypeError
	if _, err := Encode(make(chan int)); !errors.As(err, &unsupported) {
		t.Errorf("a channel: got %v", err)
	}
	if _, err := Encode(json.RawMessage(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))); err != nil {
		t.Errorf("1,000 levels: %v", err)
	}
}

// TestEncodeAgainstNode has Node write thousands of random documents again and wants the same bytes.
func TestEncodeAgainstNode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var raw, encoded [][]byte
	for range 3000 {
		document := randomJSON(random, 3)
		canonical, err := Encode(json.RawMessage(document))
		if err != nil {
			t.Fatalf("Encode(%s): %v", document, err)
		}
		raw, encoded = append(raw, document), append(encoded, canonical)
	}
	for i, got := range nodeStringify(t, raw) {
		if !bytes.Equal(got, encoded[i]) {
			t.Fatalf("raw  %s\nnode %s\ngo   %s", raw[i], got, encoded[i])
		}
	}
}

// TestUpdateAgainstNode checks the identity on which the article's receiver relies.
func TestUpdateAgainstNode(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var bodies [][]byte
	for range 3000 {
		body, err := Encode(randomUpdate(random))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	for i, got := range nodeStringify(t, bodies) {
		if !bytes.Equal(got, bodies[i]) {
			t.Fatalf("body %s\nnode %s", bodies[i], got)
		}
	}
}

// nodeStringify returns JSON.stringify(JSON.parse(body)) for each body. Documents travel as base64 lines.
func nodeStringify(t *testing.T, bodies [][]byte) [][]byte {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("Node is not installed")
	}
	var input bytes.Buffer
	for _, body := range bodies {
		input.WriteString(base64.StdEncoding.EncodeToString(body) + "\n")
	}
	command := exec.Command(node, "-e", `
		const lines = require('fs').readFileSync(0, 'latin1').trimEnd().split('\n');
		console.log(lines.map(line => Buffer.from(
			JSON.stringify(JSON.parse(Buffer.from(line, 'base64').toString()))).toString('base64')).join('\n'));`)
	command.Stdin = &input
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var result [][]byte
	for line := range strings.FieldsSeq(string(output)) {
		body, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		result = append(result, body)
	}
	if len(result) != len(bodies) {
		t.Fatalf("node answered %d of %d", len(result), len(bodies))
	}
	return result
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// randomJSON writes a document in as many odd ways as JSON allows.
func randomJSON(random *rand.Rand, depth int) []byte {
	space := func() string { return pick(random, "", "", "", " ", "\n\t", "\r ") }
	var b bytes.Buffer
	b.WriteString(space())
	kind := random.IntN(6)
	if depth == 0 {
		kind = random.IntN(4)
	}
	switch kind {
	case 0:
		b.WriteString(pick(random, "true", "false", "null"))
	case 1, 2:
		b.WriteString(randomNumber(random))
	case 3:
		b.WriteString(randomLiteral(random))
	case 4:
		b.WriteByte('[')
		for i := range random.IntN(5) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(randomJSON(random, depth-1))
		}
		b.WriteString(space() + "]")
	case 5:
		b.WriteByte('{')
		for i := range random.IntN(pick(random, 4, 4, 4, 30)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(space() + randomName(random) + space() + ":")
			b.Write(randomJSON(random, depth-1))
		}
		b.WriteString(space() + "}")
	}
	b.WriteString(space())
	return b.Bytes()
}

func randomName(random *rand.Rand) string {
	switch random.IntN(3) {
	case 0:
		return fmt.Sprintf("%q", fmt.Sprint(random.IntN(30)))
	case 1:
		return pick(random, `"a"`, `"\u0061"`, `"__proto__"`, `"constructor"`, `"length"`, `"toJSON"`, `""`, `"01"`, `"-0"`,
			`"-1"`, `"1e3"`, `"4294967294"`, `"4294967295"`, `"4294967296"`, `"9007199254740991"`, `"99999999999"`, `"\u0032"`,
			`"\ud800"`, `"\uD800"`, `"é"`, `"\u00e9"`)
	}
	return randomLiteral(random)
}

func randomLiteral(random *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('"')
	for range random.IntN(8) {
		switch random.IntN(4) {
		case 0:
			b.WriteString(pick(random, "plain", "<&>'", "\u2028", "\u2029", "\x7f", "é", "漢", "😀", "\ufeff", "\u0080", "\uffff"))
		case 1:
			b.WriteString(pick(random, `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`))
		case 2:
			fmt.Fprintf(&b, pick(random, `\u%04x`, `\u%04X`), random.IntN(1<<16))
		case 3:
			fmt.Fprintf(&b, pick(random, `\u%04x`, `\u%04X`), 0xd800+random.IntN(0x800))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func randomNumber(random *rand.Rand) string {
	switch random.IntN(5) {
	case 0:
		return fmt.Sprint(random.IntN(2000) - 1000)
	case 1:
		return fmt.Sprint(int64(random.Uint64()))
	case 2:
		for {
			if f := math.Float64frombits(random.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
				return fmt.Sprintf(pick(random, "%g", "%.3e", "%.25g", "%E"), f)
			}
		}
	case 3:
		return fmt.Sprintf("%s%d.%de%s%d", pick(random, "", "-"), random.IntN(10), random.IntN(1e6), pick(random, "", "+", "-"), random.IntN(30))
	}
	return pick(random, "-0", "0e0", "-0.0", "1e21", "1e-7", "1e400", "-1e400", "1e-400", "0.1", "100000000000000000000",
		"999999999999999934463", "999999999999999934464", "123456789012345678901234567890", "0.000001", "0.0000001", "1E+2")
}

func FuzzEncode(f *testing.F) {
	for _, seed := range []string{`{"b":[1,-0,1e21,"\ud800"],"1":{},"b":null}`, `"\u2028"`, ` [ ] `, `{"4294967295":1e-7,"0":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := Encode(json.RawMessage(data))
		if err != nil {
			if json.Valid(data) && !errors.Is(err, ErrDepth) {
				t.Fatalf("valid JSON refused: %v", err)
			}
			return
		}
		twice, err := Encode(json.RawMessage(once))
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not canonical: %q then %q, %v", once, twice, err)
		}
		// encoding/json knows no lone surrogates and no infinity; where it reads both, they mean the same.
		var before, after any
		if json.Unmarshal(data, &before) != nil || bytes.Contains(once, []byte(`\ud`)) {
			return
		}
		if err := json.Unmarshal(once, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q, %v", data, once, err)
		}
	})
}
