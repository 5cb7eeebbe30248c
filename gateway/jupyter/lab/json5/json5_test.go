package json5_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/gateway/jupyter/lab/json5"
)

func TestToJSONWritesTheSameValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                                  `{}`,
		"\ufeff [1, 2,]\u00a0":                `[1,2]`,
		"// first\n{a: 1, /* two */ 'b': 2,}": `{"a":1,"b":2}`,
		`{$_é1: null, \u0061b: true}`:         `{"$_é1":null,"ab":true}`,
		`{"z": 1, "a": 2}`:                    `{"z":1,"a":2}`,
		`'it\'s "so"'`:                        `"it's \"so\""`,
		"'one\\\ntwo\\\r\nthree'":             `"onetwothree"`,
		`"\x41\v\0\q"`:                        `"A\u000b\u0000q"`,
		`"\uD83D\uDE00"`:                      `"\ud83d\ude00"`,
		`[+1, -.5, 5., 0xFf, -0x10, 0]`:       `[1,-0.5,5,255,-16,0]`,
		`[1e3, 5.E-1, 1e-999999999]`:          `[1000,0.5,0]`,
		"{a: 1} // the end":                   `{"a":1}`,
		`{Infinity: 1, true: 2}`:              `{"Infinity":1,"true":2}`,
		"'\u2028'":                            "\"\u2028\"",
	} {
		got, err := json5.ToJSON(text)
		if err != nil || string(got) != want {
			t.Errorf("ToJSON(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestToJSONRefusesWhatIsNotJSON5(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "{", "[1", "{a}", "{a:}", "{,}", "[,]", "[1,,2]", "{a:1 b:2}", "{1a: 2}", "01", "1.2.3", "1e", "0x", ".", "+", "--1",
		"0xfffffffffffffffff", "1e999", "NaN", "-Infinity", "nul", "truer", "'a", "'a\nb'", `"\1"`, `"\01"`, `"\xg0"`, `"\u12"`, "/* open", "{} {}", "\xff", "'\xff'",
		"1_000", "0b1", strings.Repeat("1", 500), strings.Repeat("[", 5000),
	} {
		got, err := json5.ToJSON(text)
		if _, ok := errors.AsType[*json5.SyntaxError](err); !ok {
			t.Errorf("ToJSON(%.40q) = %.40s, %v; want a syntax error", text, got, err)
		}
	}
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	t.Parallel()
	_, err := json5.ToJSON("{\n  // theme\n  é: dark\n}")
	if want := `line 3, column 6: "dark" is no value; a text needs quotes`; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

// What comes out must be JSON, and JSON must come out as the same value: JSON5 contains JSON.
func FuzzToJSON(f *testing.F) {
	for _, seed := range []string{`{a: [1, .5, 0x1F, 'x\u0041'], /* c */ "b": null,} // end`, "\ufeff[+1e5,]", `"\x00\0\
"`, `{"deep": {"er": [[[]]]}}`, `-0`, `{é$: -1.E2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := json5.ToJSON(text)
		if err == nil && !json.Valid(got) {
			t.Fatalf("ToJSON(%q) = %q, which is not JSON", text, got)
		}
		if err != nil {
			return
		}
		again, err := json5.ToJSON(string(got))
		if err != nil || string(again) != string(got) {
			t.Fatalf("ToJSON(%q) = %q, %v; want it unchanged", got, again, err)
		}
	})
}
