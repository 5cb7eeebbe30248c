package nbformat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/kernels/contents/nbformat"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func parse(t testing.TB, text string) nbformat.Value {
	t.Helper()
	v, err := nbformat.Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%.80s): %v", text, err)
	}
	return v
}

func save(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := nbformat.Save(&out, parse(t, text)); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return out.String()
}

// The golden file was written by nbformat itself from the same notebook.
func TestSaveWritesWhatNbformatWrites(t *testing.T) {
	t.Parallel()
	in, err := os.ReadFile("testdata/wire.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/disk.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	if got := save(t, string(in)); got != string(want) {
		t.Errorf("Save differs from nbformat at: %s", firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: %q, want %q", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

func TestLoadGivesTheWireFormBack(t *testing.T) {
	t.Parallel()
	disk, err := os.ReadFile("testdata/disk.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	got := nbformat.Load(parse(t, string(disk)), true)
	golden := filepath.Join("testdata", "loaded.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("Load = %s\nwant %s", got, want)
	}
}

func TestSmallThings(t *testing.T) {
	t.Parallel()
	cell := func(source string) string {
		return `{"nbformat":4,"cells":[{"cell_type":"raw","source":` + source + `}]}`
	}
	lines := func(source string) string {
		text := save(t, cell(source))
		_, text, _ = strings.Cut(text, `"source": `)
		text, _, _ = strings.Cut(text, "\n  }")
		return strings.NewReplacer("\n", "", " ", "").Replace(text)
	}
	for in, want := range map[string]string{
		`""`:               `[]`,
		`"a"`:              `["a"]`,
		`"a\n"`:            `["a\n"]`,
		`"a\r\nb\rc"`:      `["a\r\n","b\r","c"]`,
		`"a\u000bb\fc"`:    `["a\u000b","b\f","c"]`,
		`"a\\nb"`:          `["a\\nb"]`,
		`"a\u2028b"`:       "[\"a\u2028\",\"b\"]",
		"\"a\u0085b\"":     "[\"a\u0085\",\"b\"]",
		`"\u00e9\/\u001C"`: "[\"é/\\u001c\"]",
		`"\ud83d\ude00"`:   "[\"😀\"]",
		`"\ud83d x"`:       `["\ud83dx"]`,
		`["kept","so"]`:    `["kept","so"]`,
	} {
		if got := lines(in); got != want {
			t.Errorf("source %s is saved as %s, want %s", in, got, want)
		}
	}
}

func TestOlderFormatsPassThrough(t *testing.T) {
	t.Parallel()
	const old = `{"nbformat":3,"worksheets":[{"cells":[{"input":["a\n","b"],"source":["x"]}]}]}`
	if got := string(nbformat.Load(parse(t, old), true)); got != old {
		t.Errorf("Load = %s, want it unchanged", got)
	}
	if err := nbformat.Check(parse(t, old)); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
}

func TestTrustIsNeverTakenFromTheFile(t *testing.T) {
	t.Parallel()
	const nb = `{"nbformat":4,"cells":[{"cell_type":"code","metadata":{"trusted":true},"outputs":[{"output_type":"display_data","data":{"text/html":"<script>"}}]}]}`
	if !nbformat.Trustworthy(parse(t, nb)) {
		t.Error("Trustworthy = false of a notebook whose cells are all marked")
	}
	if nbformat.Trustworthy(parse(t, strings.Replace(nb, `"trusted":true`, "", 1))) {
		t.Error("Trustworthy = true of unmarked rich output")
	}
	if disk := save(t, nb); strings.Contains(disk, "trusted") {
		t.Errorf("the mark is on disk: %s", disk)
	}
	if got := string(nbformat.Load(parse(t, nb), false)); !strings.Contains(got, `"metadata":{"trusted":false}`) {
		t.Errorf("Load = %s, want the cell untrusted", got)
	}
}

func TestPythonsNaNBecomesNull(t *testing.T) {
	t.Parallel()
	got := string(nbformat.Load(parse(t, `{"nbformat":4,"cells":[],"metadata":{"x":[NaN,-Infinity,Infinity]}}`), false))
	if want := `"x":[null,null,null]`; !strings.Contains(got, want) {
		t.Errorf("Load = %s, want %s in it", got, want)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[]`:                             "object",
		`{}`:                             "nbformat",
		`{"nbformat":4}`:                 "list of cells",
		`{"nbformat":4,"cells":[1]}`:     "cell",
		`{"nbformat":"4","cells":[]}`:    "nbformat",
		`{"nbformat":4.5,"cells":[]}`:    "nbformat",
		`{"nbformat":4,"cells":{"a":1}}`: "list of cells",
	} {
		if err := nbformat.Check(parse(t, in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check(%s) = %v, want something about %q", in, err, want)
		}
	}
}

func TestParseRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `[1,]`, `[1 2]`, `{a:1}`, `"a`, `"a` + "\n" + `"`, `"\x"`, `"\u12g4"`,
		"01", "1.", ".5", "-", "1e", "+1", "tru", "nul", `{} {}`, "\xff", "\"\xc3\"", "'a'", `"\`, strings.Repeat("[", 5000),
	} {
		var bad *nbformat.SyntaxError
		if _, err := nbformat.Parse([]byte(in)); !errors.As(err, &bad) {
			t.Errorf("Parse(%.20q) = %v, want a SyntaxError", in, err)
		}
	}
}

func TestValuesOfAModel(t *testing.T) {
	t.Parallel()
	v := parse(t, `{"type":"file","chunk":-1,"content":"a\u00e9\ud83d\ude00\n\/","type":"notebook","n":null}`)
	if got := v.Get("type").Text(); got != "notebook" {
		t.Errorf("type = %q, want the last one", got)
	}
	if n, ok := v.Get("chunk").Int(); n != -1 || !ok {
		t.Errorf("chunk = %d, %v, want -1", n, ok)
	}
	if got, _ := io.ReadAll(v.Get("content").Reader()); string(got) != "aé😀\n/" {
		t.Errorf("content = %q", got)
	}
	if v.Get("missing").Kind() != nbformat.Absent || v.Get("n").Kind() != nbformat.Null {
		t.Error("missing and null are not told apart")
	}
}

// normal decodes v as encoding/json does and removes what nbformat calls transient, so that two forms can be compared.
func normal(t testing.TB, b []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v in %q", err, b)
	}
	return v
}

func FuzzRoundTrip(f *testing.F) {
	wire, err := os.ReadFile("testdata/wire.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","metadata":{},"source":["a\n","b"],"outputs":[{"output_type":"stream","text":"a\u2028b\r\n"}]}]}`))
	f.Add([]byte(`{"a":"\ud800","a":[1e5,-0.0,true,null,{}],"":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := nbformat.Parse(in)
		if err != nil {
			return
		}
		once := nbformat.Load(v, false)
		var disk bytes.Buffer
		if err := nbformat.Save(&disk, v); err != nil {
			t.Fatal(err)
		}
		again, err := nbformat.Parse(disk.Bytes())
		if err != nil {
			t.Fatalf("what Save wrote does not parse: %v in %q", err, disk.Bytes())
		}
		if got, want := normal(t, nbformat.Load(again, false)), normal(t, once); !reflect.DeepEqual(got, want) {
			t.Errorf("join(split(x)) = %v, want %v", got, want)
		}
		var second bytes.Buffer
		if err := nbformat.Save(&second, again); err != nil || !bytes.Equal(second.Bytes(), disk.Bytes()) {
			t.Errorf("saving twice differs: %q then %q", disk.Bytes(), second.Bytes())
		}
	})
}

// FuzzParse holds the parser against encoding/json: they agree on what is JSON, but for NaN, byte order marks and depth.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}]}`, `"\u00e9\n"`, `-1.5e+10`, `[`, "\x00", `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_, err := nbformat.Parse(in)
		if bytes.Contains(in, []byte("NaN")) || bytes.Contains(in, []byte("Infinity")) || bytes.HasPrefix(in, []byte("\xef\xbb\xbf")) {
			return
		}
		if strings.ToValidUTF8(string(in), "") != string(in) || len(in) > 900 {
			return
		}
		if want := json.Valid(in); (err == nil) != want {
			t.Errorf("Parse(%q) = %v, json.Valid = %v", in, err, want)
		}
	})
}

// tenMegabytes is the notebook of the benchmark that compares us with jupyter_server.
func tenMegabytes() []byte {
	text := strings.Repeat("0123456789abcdef", 625)
	return thousandCells(text)
}

// printed is of the same size, in lines as programs print them.
func printed() []byte {
	return thousandCells(strings.Repeat("epoch 12 loss 0.1234 accuracy 0.9876 é\n", 250))
}

func thousandCells(text string) []byte {
	var cells []any
	for i := range 1000 {
		cells = append(cells, map[string]any{
			"cell_type": "code", "id": fmt.Sprint("c", i), "metadata": map[string]any{}, "execution_count": i, "source": "print(1)",
			"outputs": []any{map[string]any{"output_type": "stream", "name": "stdout", "text": text}},
		})
	}
	b, _ := json.Marshal(map[string]any{"cells": cells, "metadata": map[string]any{}, "nbformat": 4, "nbformat_minor": 5})
	return b
}

func BenchmarkSave(b *testing.B) {
	for name, in := range map[string][]byte{"long": tenMegabytes(), "lines": printed()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				v, err := nbformat.Parse(in)
				if err != nil {
					b.Fatal(err)
				}
				if err := nbformat.Save(io.Discard, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, in := range map[string][]byte{"long": tenMegabytes(), "lines": printed()} {
		b.Run(name, func(b *testing.B) {
			v, err := nbformat.Parse(in)
			if err != nil {
				b.Fatal(err)
			}
			var disk bytes.Buffer
			if err := nbformat.Save(&disk, v); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(disk.Len()))
			for b.Loop() {
				v, err := nbformat.Parse(disk.Bytes())
				if err != nil {
					b.Fatal(err)
				}
				nbformat.Load(v, true)
			}
		})
	}
}
