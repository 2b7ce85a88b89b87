package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestValid(t *testing.T) {
	for _, c := range []struct {
		about, text string
		want        bool
	}{
		{"nothing", "", false},
		{"blanks alone", " \n", false},
		{"null is a value like any other", "null", true},
		{"blanks around a value", " \t\r\n1 \n", true},
		{"another blank", "\v1", false},
		{"two values", "1 2", false},
		{"a word cut short", "tru", false},
		{"a word too long", "nulll", false},
		{"zero", "0", true},
		{"minus zero", "-0", true},
		{"a minus alone", "-", false},
		{"a plus", "+1", false},
		{"a zero before a number", "01", false},
		{"a fraction", "1.50", true},
		{"a fraction without digits", "1.", false},
		{"no digit before the fraction", ".5", false},
		{"exponents", "[1e5,1E+5,1e-05]", true},
		{"an exponent without digits", "1e+", false},
		{"strings of 7, 8 and 9 bytes", `["1234567","12345678","123456789"]`, true},
		{"a string that does not end", `"abcdefghij`, false},
		{"a quote that is escaped", `"abcdefg\"`, false},
		{"every escape", `"\"\\\/\b\f\n\r\t\u00Ff"`, true},
		{"an unknown escape", `"\x"`, false},
		{"an escape cut short", `"\u00f"`, false},
		{"an escape at the end", `"\`, false},
		{"a control character in a string", "\"1234567\x1f\"", false},
		{"DEL is no control character to JSON", "\"\x7f\"", true},
		{"a lone surrogate is JSON", `"\ud800"`, true},
		{"not UTF-8", "\"\xff\"", false},
		{"empty containers", `[{},[],[ ],{ }]`, true},
		{"nested containers", `{"a":[{"b":[]},[[1]]]}`, true},
		{"a comma at an array's end", "[1,]", false},
		{"a comma at an object's end", `{"a":1,}`, false},
		{"a comma first", "[,1]", false},
		{"no comma", "[1 2]", false},
		{"brackets that do not match", "[}", false},
		{"brackets that cross", `[{"a":1]}`, false},
		{"an array that does not end", "[1", false},
		{"an object that does not end", `{"a":1`, false},
		{"a name without a value", `{"a"}`, false},
		{"a name that is no string", `{a:1}`, false},
		{"an object inside that has no colon", `[{"a" 1}]`, false},
		{"128 levels", strings.Repeat("[", DepthMax) + strings.Repeat("]", DepthMax), true},
		{"129 levels", strings.Repeat("[", DepthMax+1) + strings.Repeat("]", DepthMax+1), false},
		{"128 levels twice side by side", "[" + nested(DepthMax-1) + "," + nested(DepthMax-1) + "]", true},
		{"128 levels of objects", strings.Repeat(`{"":`, DepthMax-1) + "{}" + strings.Repeat("}", DepthMax-1), true},
	} {
		if got := Valid([]byte(c.text)); got != c.want {
			t.Errorf("%s: %v", c.about, got)
		}
		checkValid(t, []byte(c.text))
	}
}

// nested is an array of that many levels.
func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

// levels is how deep a JSON text is nested.
func levels(t *testing.T, text []byte) int {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // one that no float64 holds is JSON too
	deepest, depth := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			return deepest
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		about, text string
		around      int
		want        error
	}{
		{"a payload", nested(DepthMax), 0, nil},
		{"a payload that is too deep", nested(DepthMax + 1), 0, ErrTooDeep},
		{"a publication", `{"data":` + nested(DepthMax) + `}`, 1, nil},
		{"a publication that is too deep", `{"data":` + nested(DepthMax+1) + `}`, 1, ErrTooDeep},
		{"an array of publications", `[{"data":` + nested(DepthMax) + `}]`, 2, nil},
		{"an array of publications that is too deep", `[{"data":` + nested(DepthMax+1) + `}]`, 2, ErrTooDeep},
		{"a number", "1", 0, nil},
		{"nesting that is too deep and never ends", strings.Repeat("[", 100_000), 2, ErrTooDeep},
		{"nesting that never ends", strings.Repeat("[", DepthMax), 2, ErrNotJSON},
		{"no JSON", "x", 2, ErrNotJSON},
		{"not UTF-8", "\"\xff\"", 0, ErrNotJSON},
	} {
		if err := Check([]byte(c.text), c.around); err != c.want { //nolint:errorlint // a bare value
			t.Errorf("%s: %v, want %v", c.about, err, c.want)
		}
	}
}

// checkValid holds Valid against encoding/json.
func checkValid(t *testing.T, text []byte) {
	t.Helper()
	if got, want := Valid(text), json.Valid(text) && utf8.Valid(text) && levels(t, text) <= DepthMax; got != want {
		t.Errorf("%.200q: %v, encoding/json says %v", text, got, want)
	}
}

// TestValidAgainstEncodingJSON damages good texts in random places.
func TestValidAgainstEncodingJSON(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const bytes = `{}[]",:\u0eE1+-. ntf` + "\n\x01é"
	for range 20000 {
		text := []byte(`{"a":[1,-2.5e+10,true,false,null,"x\n\u00e9é"],"b":{"c":[],"d":{}} , "e":"12345678"}`)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(text))
			switch random.IntN(3) {
			case 0:
				text[at] = bytes[random.IntN(len(bytes))]
			case 1:
				if len(text) > 1 {
					text = append(text[:at], text[at+1:]...)
				}
			case 2:
				text = text[:max(1, at)]
			}
		}
		checkValid(t, text)
	}
}

func BenchmarkValid(b *testing.B) {
	texts := map[string]string{
		"ticker": `{"price":"91234.5","volume":"12.25","bid":91234.4,"ask":91234.6,"time":1763632800123}`,
		"string": `"` + strings.Repeat("a", 1000) + `"`,
		"array":  "[" + strings.Repeat("[1.5,2.5],", 100) + "[]]",
	}
	for name, text := range texts {
		for who, valid := range map[string]func([]byte) bool{"ours": Valid, "encoding-json": json.Valid} {
			b.Run(fmt.Sprintf("%s/%s", name, who), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				src := []byte(text)
				for b.Loop() {
					if !valid(src) {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
