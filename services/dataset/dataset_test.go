package dataset

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// profile reads data and writes its columns, one a line: name, type, values,
// missing, distinct, min, max, mean.
func profile(t testing.TB, data string) string {
	t.Helper()
	d, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := d.Profile(500, func(int64) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s %d", d.Format, d.Rows)
	for _, c := range columns {
		text += fmt.Sprintf("\n%s %s %d %d %d [%s %s]", c.Name, c.Type, c.Count, c.Missing, c.Distinct, c.Min, c.Max)
		if c.Numeric() {
			text += fmt.Sprintf(" %g", c.Mean)
		}
	}
	return text
}

func TestProfile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ data, want string }{
		"the article's": {"large dataset", "text 1\nline text 1 0 1 [large dataset large dataset]\nwords integer 1 0 1 [2 2] 2\ncharacters integer 1 0 1 [13 13] 13"},
		"empty":         {"", "text 0"},
		"blank lines": {"a\n\n b c\r\n", "text 3\nline text 2 1 2 [ b c a]\nwords integer 3 0 3 [0 2] 1\n" +
			"characters integer 3 0 3 [0 4] 1.6666666666666667"},
		"prose": {"Dear Rex,\ncome home, please, soon.\nMia", "text 3\nline text 3 0 3 [Dear Rex, come home, please, soon.]\n" +
			"words integer 3 0 3 [1 4] 2.3333333333333335\ncharacters integer 3 0 3 [3 24] 12"},
		"CSV": {"name,age,kg\nRex,3,31.5\nMia,12,4\nRex,,-0.5\n",
			"csv 3\nname text 3 0 2 [Mia Rex]\nage integer 2 1 2 [3 12] 7.5\nkg number 3 0 3 [-0.5 31.5] 11.666666666666666"},
		"semicolons": {"a;b\n1,5;x\n2,5;y\n", "csv 2\na text 2 0 2 [1,5 2,5]\nb text 2 0 2 [x y]"},
		"tabs":       {"a\tb\n\tx\n", "csv 1\na empty 0 1 0 [ ]\nb text 1 0 1 [x x]"},
		"no header":  {"1,Rex\n2,Mia\n", "csv 2\ncolumn 1 integer 2 0 2 [1 2] 1.5\ncolumn 2 text 2 0 2 [Mia Rex]"},
		// faults 28
		"years":       {"2019,2020,2021\n5,7,9\n6,8,1\n", "csv 2\n2019 integer 2 0 2 [5 6] 5.5\n2020 integer 2 0 2 [7 8] 7.5\n2021 integer 2 0 2 [1 9] 5"},
		"name, years": {"pet,2019,2020\nRex,5,7\n", "csv 1\npet text 1 0 1 [Rex Rex]\n2019 integer 1 0 1 [5 5] 5\n2020 integer 1 0 1 [7 7] 7"},
		"years below": {"2019,2020\n2021,2022\n", "csv 2\ncolumn 1 integer 2 0 2 [2019 2021] 2020\ncolumn 2 integer 2 0 2 [2020 2022] 2021"},
		"short row":   {"a,b,c\n1,2,3\n1,2,3\n1,2,3\n4,5\n", "csv 4\na integer 4 0 2 [1 4] 1.75\nb integer 4 0 2 [2 5] 2.75\nc integer 3 1 1 [3 3] 3"},
		// another instance: among few rows, and a column by itself
		"a short row of two": {"a,b,c\n1,2,3\n4,5\n", "csv 2\na integer 2 0 2 [1 4] 2.5\nb integer 2 0 2 [2 5] 3.5\nc integer 1 1 1 [3 3] 3"},
		"short prose":        {"Dear Rex, come\nhome\nsoon, please", "text 3\nline text 3 0 3 [Dear Rex, come soon, please]\nwords integer 3 0 3 [1 3] 2\ncharacters integer 3 0 3 [4 14] 10"},
		"one column":         {"n\r\n9007199254740993\r\n-12.5\r\n", "csv 2\nn number 2 0 2 [-12.5 9007199254740993] 4.50359962737049e+15"},
		"exact":              {"n,m\n9007199254740993,-9007199254740993\n9007199254740992,-9007199254740992\n", "csv 2\nn integer 2 0 2 [9007199254740992 9007199254740993] 9.007199254740992e+15\nm integer 2 0 2 [-9007199254740993 -9007199254740992] -9.007199254740992e+15"},
		"odd header":         {"\ufeffa,,a\nx,y,z\n", "csv 1\na text 1 0 1 [x x]\ncolumn 2 text 1 0 1 [y y]\na (2) text 1 0 1 [z z]"},
		"quotes":             {"a,b\n\"x, \"\"y\"\"\",\"two\nlines\"\n", "csv 1\na text 1 0 1 [x, \"y\" x, \"y\"]\nb text 1 0 1 [two\nlines two\nlines]"},
		"postcodes":          {"code,n\n01067,1\n80331,2\n", "csv 2\ncode text 2 0 2 [01067 80331]\nn integer 2 0 2 [1 2] 1.5"},
		"dates": {"day,ok\n2026-01-31,true\n2026-02-28T12:00:00Z,FALSE\n",
			"csv 2\nday date 2 0 2 [2026-01-31 2026-02-28T12:00:00Z]\nok boolean 2 0 2 [ ]"},
		"impossible":  {"day,x\n2026-02-30,1e999\n2026-02-01,1\n", "csv 2\nday text 2 0 2 [2026-02-01 2026-02-30]\nx text 2 0 2 [1 1e999]"},
		"large":       {"n,m\n1e308,9007199254740993\n1e308,1\n", "csv 2\nn number 2 0 1 [1e308 1e308] 1e+308\nm integer 2 0 2 [1 9007199254740993] 4.503599627370496e+15"},
		"not numbers": {"a,b\nNaN,0x10\nInf,1_000\n", "csv 2\na text 2 0 2 [Inf NaN]\nb text 2 0 2 [0x10 1_000]"},
		"objects": {`[{"a":1,"b":"x"},{"a":2.5},{"b":null,"c":[1]}]`,
			"json 3\na number 2 1 2 [1 2.5] 1.75\nb text 1 2 1 [x x]\nc array 1 2 1 [ ]"},
		"mixed":       {`[{"a":1},{"a":"1"},{"a":{"b":2}}]`, "json 3\na mixed 3 0 2 [ ]"},
		"arrays":      {"[[1,true],[2]]", "json 2\ncolumn 1 integer 2 0 2 [1 2] 1.5\ncolumn 2 boolean 1 1 1 [ ]"},
		"scalars":     {"[3, 1, null, 2]", "json 4\nvalue integer 3 1 3 [1 3] 2"},
		"one object":  {`{"a":"2026-01-31"}`, "json 1\na date 1 0 1 [2026-01-31 2026-01-31]"},
		"a line each": {"{\"a\":1}\n{\"a\":2}\n", "json 2\na integer 2 0 2 [1 2] 1.5"},
		"nothing":     {"[]", "json 0"},
		"empty rows":  {"[{},{}]", "json 2"},
		"bracket":     {"[draft] hello", "text 1\nline text 1 0 1 [[draft] hello [draft] hello]\nwords integer 1 0 1 [2 2] 2\ncharacters integer 1 0 1 [13 13] 13"},
		"footnote":    {"[1] hello", "text 1\nline text 1 0 1 [[1] hello [1] hello]\nwords integer 1 0 1 [2 2] 2\ncharacters integer 1 0 1 [9 9] 9"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := profile(t, test.data); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	wide := strings.Repeat("a,", MaxColumns) + "a\n"
	tests := map[string]struct{ data, want string }{
		"cut off":        {`[{"a":1},`, "ends before"},
		"cut off inside": {`{"a":`, "ends before"},
		"not JSON":       {`[{"a":1},}]`, "at byte 8"},
		"twice":          {`{"a":1,"a":2}`, "same name twice"},
		"goes on":        {`[{"a":1}] and more`, "goes on"},
		"two arrays":     {`[{"a":1}] [2]`, "goes on"},
		"ragged":         {strings.Repeat("a,b\n", sampleSize) + "a,b,c\n", "line 21"},
		"quote":          {strings.Repeat("a,b\n", sampleSize) + "a,\"b\n", "quote"},
		"wide CSV":       {wide + wide, "1001 columns"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(test.data)
			var wrong *MalformedError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Message, test.want) {
				t.Errorf("error is %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestTooManyColumnsAppearLate(t *testing.T) {
	t.Parallel()
	var data strings.Builder
	for i := range MaxColumns + 1 {
		fmt.Fprintf(&data, "{\"c%d\":1}\n", i)
	}
	d, err := Read(data.String())
	if err != nil {
		t.Fatal(err)
	}
	var wrong *MalformedError
	if _, err = d.Profile(500, func(int64) error { return nil }); !errors.As(err, &wrong) {
		t.Errorf("error is %v", err)
	}
}

func TestStepsAndTheirErrors(t *testing.T) {
	t.Parallel()
	d, err := Read(strings.Repeat("line\n", 1200))
	if err != nil {
		t.Fatal(err)
	}
	var steps []int64
	if _, err := d.Profile(500, func(done int64) error { steps = append(steps, done); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(steps) != "[0 500 1000]" {
		t.Errorf("steps are %v", steps)
	}
	stop := errors.New("stop")
	if _, err := d.Profile(500, func(int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
}

func FuzzProfile(f *testing.F) {
	for _, data := range []string{"large dataset", "a,b\n1,2\n", `[{"a":1}]`, "{\"a\":1}\n{\"b\":2}", "[[1,2],[3]]", "a;b;c\n;;\n", "[1] x", "\"\n\""} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		d, err := Read(data)
		var wrong *MalformedError
		if err != nil {
			if !errors.As(err, &wrong) {
				t.Fatalf("an error that is nobody's: %v", err)
			}
			return
		}
		columns, err := d.Profile(7, func(int64) error { return nil })
		if err != nil {
			if !errors.As(err, &wrong) {
				t.Fatalf("an error that is nobody's: %v", err)
			}
			return
		}
		for _, c := range columns {
			if c.Count+c.Missing != d.Rows || c.Distinct > c.Count || c.Missing < 0 || (c.Count > 0) != (c.Distinct > 0) {
				t.Errorf("%+v of %d rows", c, d.Rows)
			}
			if math.IsNaN(c.Mean) || math.IsInf(c.Mean, 0) {
				t.Errorf("%+v", c)
			}
		}
	})
}
