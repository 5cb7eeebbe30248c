package build

import (
	"bytes"
	"path/filepath"
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

func TestSmokeKeyIsOfWhatAKernelNeedsAlone(t *testing.T) {
	t.Parallel()
	l := &lock.Lock{Packages: []lock.Package{
		{Name: "ipykernel", SHA256: "1", Depends: []string{"traitlets >=5", "python"}},
		{Name: "traitlets", SHA256: "2"},
		{Name: "python", SHA256: "3"},
		{Name: "numpy", SHA256: "4"},
	}}
	key := smokeKey(l)
	l.Packages[3].SHA256 = "5"
	if smokeKey(l) != key {
		t.Error("another numpy changes the key")
	}
	l.Packages[1].SHA256 = "6"
	if smokeKey(l) == key || key == "" {
		t.Error("another traitlets does not change the key")
	}
	if got := smokeKey(&lock.Lock{Packages: l.Packages[1:]}); got != "" {
		t.Errorf("key without a kernel = %q", got)
	}
}

func FuzzDirents(f *testing.F) {
	f.Add(make([]byte, 24))
	f.Add(append(make([]byte, 16), 24, 0, 8, 'a', 'b', 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range appendDirents(nil, b) {
			if e.name == "." || e.name == ".." || strings.ContainsRune(e.name, 0) {
				t.Errorf("%q is an entry", e.name)
			}
		}
	})
}
