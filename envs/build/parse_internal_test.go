package build

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

func FuzzIndex(f *testing.F) {
	f.Add(encodeIndex([]source{{"lib/python3.11/a.py", compiled}, {"b.py", ownOnly}, {"c d.py", hopeless}}))
	f.Add([]byte(indexMagic + "\n= ../../x.py\n"))
	f.Add([]byte(indexMagic + "\n? x.py\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sources, err := decodeIndex(b)
		if err != nil {
			return
		}
		for _, s := range sources {
			if !filepath.IsLocal(s.path) || !strings.HasSuffix(s.path, ".py") {
				t.Errorf("%q is taken for a source", s.path)
			}
		}
		again, err := decodeIndex(encodeIndex(sources))
		if err != nil || !slices.Equal(again, sources) {
			t.Errorf("again: %v, %v, want %v", again, err, sources)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"arch":null,"name":"a","depends":["b"],"version":"1","build":"0","sha256":"00","files":[`))
	f.Add([]byte(`{"name":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := readRecord(bytes.NewReader(b))
		if err == nil && rec.Name != "" && !bytes.Contains(b, []byte("name")) && !bytes.Contains(b, []byte(`\u`)) {
			t.Errorf("%q has the name %q", b, rec.Name)
		}
	})
}

// FuzzShareable compares with what is meant, which is easy to read but slow.
func FuzzShareable(f *testing.F) {
	inPrefix := regexp.MustCompile(`"sha256_in_prefix":[ \t\r\n]*"[0-9a-f]{64}",[ \t\r\n]*`)
	ofScript := regexp.MustCompile(`("path_type":[ \t\r\n]*"unix_python_entry_point",[ \t\r\n]*)"sha256":[ \t\r\n]*"[0-9a-f]{64}",[ \t\r\n]*`)
	hash := strings.Repeat("0a", 32)
	f.Add([]byte(`{"path_type": "unix_python_entry_point",` + "\n" + `"sha256": "` + hash + `", "sha256_in_prefix": "` + hash + `","size":1}`))
	f.Add([]byte(`{"path_type": "hardlink", "sha256": "` + hash + `", "sha256_in_prefix": "` + hash + `"}`))
	f.Add([]byte(`"path_type":"unix_python_entry_point","sha256_in_prefix":"` + hash + `","sha256":"` + hash + `",`))
	f.Add([]byte(`"sha256_in_prefix":"` + strings.ToUpper(hash) + `", "sha256"sha256_in_prefix":"` + hash + `",`))
	f.Fuzz(func(t *testing.T, record []byte) {
		want := ofScript.ReplaceAll(inPrefix.ReplaceAll(record, nil), []byte("$1"))
		if got := shareable(record); !bytes.Equal(got, want) {
			t.Errorf("shareable(%q) = %q, want %q", record, got, want)
		}
	})
}

func FuzzWheelRecord(f *testing.F) {
	f.Add("a/b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\"x,y.py\",,\n../../../bin/run,,\n")
	f.Add("../../../../etc/passwd,,\n/etc/passwd,,")
	f.Fuzz(func(t *testing.T, text string) {
		entries, _ := readWheelRecord(strings.NewReader(text), "lib/python3.11/site-packages")
		for _, e := range entries {
			if !filepath.IsLocal(e.path) {
				t.Errorf("%q leads out of the environment", e.path)
			}
		}
	})
}

func TestCompilerIsPythonAndAllThatItLoads(t *testing.T) {
	t.Parallel()
	l := &lock.Lock{Kind: lock.Conda, Packages: []lock.Package{
		{Name: "libzlib", SHA256: "1"},
		{Name: "python", SHA256: "2", Depends: []string{"libzlib >=1", "__glibc"}},
		{Name: "numpy", SHA256: "3", Depends: []string{"python"}},
	}}
	by := func() string {
		t.Helper()
		name, err := compilerOf(l)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	first := by()
	l.Packages[2].SHA256 = "4"
	if by() != first {
		t.Error("another numpy is another compiler")
	}
	l.Packages[0].SHA256 = "5"
	if by() == first {
		t.Error("with another libzlib it is the same compiler")
	}
}

func FuzzRequirements(f *testing.F) {
	f.Add("Metadata-Version: 2.1\nRequires-Dist: traitlets>=5.4\nRequires-Dist: appnope; sys_platform=='darwin'\nRequires-Dist: Jupyter_Core !=5.0.*\n\nRequires-Dist: no\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range readRequirements(strings.NewReader(text)) {
			if name != lock.NormalName(name) || name == "" || strings.ContainsAny(name, " \n;/") {
				t.Errorf("%q is taken for a name", name)
			}
		}
	})
}
