package spec_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/spec"
)

func seeds(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/edit/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		before, _, _ := strings.Cut(string(text), "==== edit\n")
		all = append(all, before)
	}
	return all
}

func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add([]byte(text))
	}
	f.Add([]byte("dependencies:\n- 'numpy[version=\">=1\"]'\n- pip:\n  - a; (os_name == 'x')\n"))
	f.Add([]byte("\ufeffname: x\ndependencies: {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := spec.Parse(text)
		if err != nil {
			wrong, ok := err.(*spec.Error) //nolint:errorlint // it must be this very type
			if !ok || len(wrong.All) == 0 || wrong.Message == "" {
				t.Fatalf("Parse = %#v, no *Error with mistakes", err)
			}
			lines := 2 + strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + strings.Count(string(text), "\u0085") +
				strings.Count(string(text), "\u2028") + strings.Count(string(text), "\u2029")
			for _, m := range wrong.All {
				if len(text) <= spec.MaxBytes && (m.Line < 1 || m.Col < 1 || m.Line > lines) {
					t.Fatalf("the place %d:%d is not in the text: %s", m.Line, m.Col, m.Message)
				}
			}
			return
		}
		again, err := spec.Parse(s.Text)
		if err != nil || again.Hash() != s.Hash() {
			t.Fatalf("reading it again gives another spec: %v", err)
		}
	})
}

// What Edit gives must ask for exactly what s asked for, but for the change.
func FuzzEdit(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add([]byte(text), "scipy", "1.2", uint8(0), uint8(0))
		f.Add([]byte(text), "scipy", "", uint8(1), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, name, version string, from, removed uint8) {
		s, err := spec.Parse(text)
		if err != nil {
			return
		}
		e := spec.Edit{Add: []spec.Package{{Name: name, Version: version, From: []string{"conda", "pip"}[from%2]}}}
		all := slices.Concat(s.Dependencies, s.Pip)
		if len(all) > 0 {
			e.Remove = []string{all[int(removed)%len(all)].Name}
		}
		after, err := s.Edit(e)
		if err != nil {
			return
		}
		again, err := spec.Parse(after.Text)
		if err != nil || again.Hash() != after.Hash() {
			t.Fatalf("the edited text reads otherwise: %v\n%s", err, after.Text)
		}
		untouched := func(all []spec.Requirement) []string {
			var list []string
			for _, req := range all {
				if req.Name == "pip" || same(req.Name, name) || len(e.Remove) > 0 && same(req.Name, e.Remove[0]) {
					continue
				}
				list = append(list, req.Text)
			}
			slices.Sort(list)
			return list
		}
		if a, b := untouched(s.Dependencies), untouched(after.Dependencies); !slices.Equal(a, b) {
			t.Fatalf("dependencies %q became %q", a, b)
		}
		if a, b := untouched(s.Pip), untouched(after.Pip); !slices.Equal(a, b) {
			t.Fatalf("pip's lines %q became %q", a, b)
		}
		if !slices.ContainsFunc(slices.Concat(after.Dependencies, after.Pip), func(r spec.Requirement) bool { return same(r.Name, name) }) {
			t.Fatalf("%q was not added:\n%s", name, after.Text)
		}
	})
}

// same compares names as both sections do together, without channel and extras.
func same(a, b string) bool {
	plain := func(name string) string {
		if _, after, ok := strings.Cut(name, "::"); ok {
			name = after
		}
		name, _, _ = strings.Cut(name, "[")
		return strings.Trim(strings.Join(strings.FieldsFunc(strings.ToLower(strings.TrimSpace(name)), func(c rune) bool { return strings.ContainsRune("-_.", c) }), "-"), "-")
	}
	return plain(a) == plain(b)
}

func FuzzFromRequirements(f *testing.F) {
	f.Add("numpy==1.2 \\\n  --hash=sha256:00\n-r x\n")
	f.Add("# with Python 3.11\na[b]>=1; os_name == 'x' # c\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := spec.FromRequirements("x", []byte(text)); err == nil {
			if _, err := spec.Parse(s.Text); err != nil {
				t.Fatal(err)
			}
		}
	})
}
