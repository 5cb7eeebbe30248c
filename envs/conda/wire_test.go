package conda

import (
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"result":{"generation":1,"records":[1],"new":{"1":{"name":"six","version":"1","build":"0","sha256":"00","url":"file:///c/noarch/six-1-0.conda","noarch":"python"}}}}`,
		`{"id":2,"event":"link","done":1,"total":2,"package":"six"}`,
		`{"id":3,"failure":{"cause":"unsatisfiable","message":"no","tree":"a\n└─ b","near":["x"],"spec":0}}`,
		`{"id":4,"result":{"records":[99999999999]}}`, `{"id":0}`, `{"id":5,"result":null}`, `{"id":6,"failure":{}}`, `[]`, ``, `{"id":1e9,"event":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parse(line)
		if err != nil {
			return
		}
		if m.ID <= 0 || !m.ends() && m.Event == "" {
			t.Fatalf("a message that says nothing was taken: %+v", m)
		}
		if m.Failure != nil && m.Failure.failure().Cause == "" {
			t.Fatal("a failure without a cause was taken")
		}
		var s solved
		if m.Result == nil || m.into(&s) != nil {
			return
		}
		var known table
		packages, err := known.learn(s)
		if err == nil && len(packages) != len(s.Records) {
			t.Fatalf("%d packages for %d records", len(packages), len(s.Records))
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("http://user:secret@host/t/tok-1/channel failed")
	f.Fuzz(func(t *testing.T, text string) {
		once := redact(text)
		if again := redact(once); again != once {
			t.Fatalf("redacted twice %q is not %q", again, once)
		}
	})
}

func TestDistributionsOfACondaPackage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    lock.Package
		want string
	}{
		"pure Python":         {lock.Package{Name: "typing_extensions", Noarch: "python"}, "typing-extensions"},
		"compiled":            {lock.Package{Name: "numpy", Depends: []string{"python >=3.11,<3.12"}}, "numpy"},
		"another name":        {lock.Package{Name: "pytorch", Depends: []string{"python"}}, "torch"},
		"purls":               {lock.Package{Name: "x", Record: []byte(`{"purls":["pkg:pypi/Open.CV@4","pkg:conda/x"]}`)}, "open-cv"},
		"a library":           {lock.Package{Name: "zlib", Depends: []string{"__glibc >=2.17"}}, ""},
		"the ABI of Python":   {lock.Package{Name: "x", Depends: []string{"python_abi 3.11.*"}}, ""},
		"the language itself": {lock.Package{Name: "python", Depends: []string{"python_abi"}}, ""},
	} {
		if got := strings.Join(distributions(c.p), " "); got != c.want {
			t.Errorf("%s: distributions = %q, want %q", name, got, c.want)
		}
	}
}

func TestVersionsThatWheelsCanBeHeldTo(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"1.26.4": true, "2.0.0rc1": true, "1!2.0": true, "2024.1": true, "3.0.post1": true, "0.1.dev3": true, "1.0+local.1": true,
		"1.1.1w": false, "9e": false, "": false, "1.0; python_version > '3'": false,
	} {
		if got := release.MatchString(version); got != want {
			t.Errorf("release.MatchString(%q) = %v, want %v", version, got, want)
		}
	}
}
