package lock_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/lock"
)

var update = flag.Bool("update", false, "write the golden files anew")

func hash(c string) string { return strings.Repeat(c, 64) }

func conda(name, version, build, subdir, digit string, depends ...string) lock.Package {
	p := lock.Package{
		Name: name, Version: version, Build: build, Subdir: subdir, SHA256: hash(digit), Size: 1000, Depends: depends,
		URL: "https://conda.example/forge/" + subdir + "/" + name + "-" + version + "-" + build + ".conda", License: "MIT", Timestamp: 1704067200000,
	}
	if subdir == "noarch" {
		p.Noarch = "python"
	}
	return p
}

func wheel(name, version, digit string, requires ...string) lock.Wheel {
	file := strings.ReplaceAll(name, "-", "_") + "-" + version + "-py3-none-any.whl"
	return lock.Wheel{
		Name: name, Version: version, Filename: file, URL: "https://index.example/files/" + strings.ReplaceAll(file, "+", "%2B"),
		SHA256: hash(digit), Size: 10, Requires: requires, License: "Apache-2.0 OR BSD-3-Clause", Uploaded: "2024-01-01T00:00:00Z",
	}
}

// sample is a lock with all that one of kind conda can hold.
func sample() *lock.Lock {
	numpy := conda("numpy", "2.4.6", "py311_0", "linux-64", "b", "python 3.11.*", "python_abi 3.11.* *_cp311", "libblas")
	numpy.Record = json.RawMessage(`{"name": "numpy", "version": "2.4.6", "build": "py311_0", "sha256": "` + hash("b") + `", "arch": null}`)
	numpy.MD5, numpy.BuildNumber, numpy.Constrains = strings.Repeat("e", 32), 3, []string{"numba >=1"}
	python := conda("python", "3.11.7", "0_cpython", "linux-64", "a", "__glibc >=2.17", "python_abi 3.11.*")
	python.License = "PSF-2.0"
	abi := conda("python_abi", "3.11", "1_cp311", "noarch", "c")
	abi.Noarch, abi.License = "generic", "a licence of their own"
	abi.URL = strings.TrimSuffix(abi.URL, ".conda") + ".tar.bz2"
	return &lock.Lock{
		Version: 1, Kind: lock.Conda, Platform: "linux-64", Python: "3.11",
		Channels: []string{"https://conda.example/forge"}, Indexes: []string{"https://index.example/simple"},
		Virtual:  []string{"__linux=6.1=0", "__glibc=2.36=0"},
		Packages: []lock.Package{python, numpy, abi, conda("traitlets", "5.16.1", "py_0", "noarch", "d", "python >=3.9")},
		Wheels:   []lock.Wheel{wheel("torch-like", "2.0+cpu", "2", "numpy", "cowsay"), wheel("cowsay", "6.1", "1")},
		Solver:   "py-rattler 0.28.0", Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
}

// venvSample is one of kind venv.
func venvSample() *lock.Lock {
	return &lock.Lock{
		Version: 1, Kind: lock.Venv, Platform: "linux-64", Python: "3.11", Base: &lock.Base{Path: "/usr/bin/python3.11", Version: "3.11.2"},
		Wheels: []lock.Wheel{wheel("cowsay", "6.1", "1")},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

func encode(t *testing.T, l *lock.Lock) []byte {
	t.Helper()
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEncodeKeepsItsForm(t *testing.T) {
	t.Parallel()
	golden(t, "lock.json", encode(t, sample()))
}

func TestIDNamesWhatIsInstalledAndNothingElse(t *testing.T) {
	t.Parallel()
	// Builds on disk are named by it: a change here makes every environment be built anew.
	const want = "675aba32bf5c1f75c4318dbd804069472b2e8bb63ff7f879650b17c90542afb9"
	if got := sample().ID(); got != want {
		t.Errorf("ID() = %s, want %s", got, want)
	}
	same := sample()
	same.Solver, same.Created, same.Packages[1].Record = "", time.Time{}, nil
	slices.Reverse(same.Packages)
	slices.Reverse(same.Wheels)
	slices.Reverse(same.Wheels[1].Requires)
	slices.Reverse(same.Virtual)
	if same.ID() != sample().ID() {
		t.Error("ID() depends on the order of packages, or on where the lock came from")
	}
	for what, change := range map[string]func(*lock.Lock){
		"a hash":    func(l *lock.Lock) { l.Packages[0].SHA256 = hash("9") },
		"a wheel":   func(l *lock.Lock) { l.Wheels = l.Wheels[:1] },
		"the base":  func(l *lock.Lock) { l.Base = &lock.Base{Path: "/usr/bin/python3", Version: "3.11.2"} },
		"a channel": func(l *lock.Lock) { l.Channels[0] += "2" },
	} {
		other := sample()
		change(other)
		if other.ID() == sample().ID() {
			t.Errorf("ID() is the same with %s changed", what)
		}
	}
}

func TestDecodeGivesBackWhatWasEncoded(t *testing.T) {
	t.Parallel()
	for _, l := range []*lock.Lock{sample(), venvSample()} {
		before := encode(t, l)
		got, err := lock.Decode(before)
		if err != nil {
			t.Fatal(err)
		}
		if after := encode(t, got); !bytes.Equal(before, after) || got.ID() != l.ID() || got.Bytes() != l.Bytes() {
			t.Errorf("decoded and encoded again: %s, want %s", after, before)
		}
	}
	if got := sample().Bytes(); got != 4020 {
		t.Errorf("Bytes() = %d, want 4020", got)
	}
}

// wrong are changes that make a lock one that must not be used, with a word of what Decode says.
var wrong = map[string]struct {
	change func(*lock.Lock)
	says   string
}{
	"no kind":                     {func(l *lock.Lock) { l.Kind = "x" }, "kind of environment"},
	"no platform":                 {func(l *lock.Lock) { l.Platform = "../x" }, "platform"},
	"no minor version":            {func(l *lock.Lock) { l.Python = "3.11.7" }, "minor version"},
	"packages in a venv":          {func(l *lock.Lock) { l.Kind = lock.Venv }, "kind venv"},
	"a base below conda":          {func(l *lock.Lock) { l.Base = &lock.Base{Path: "/x", Version: "3"} }, "kind conda"},
	"a short hash":                {func(l *lock.Lock) { l.Packages[0].SHA256 = "abc" }, "SHA-256"},
	"an upper-case hash":          {func(l *lock.Lock) { l.Wheels[0].SHA256 = hash("A") }, "SHA-256"},
	"a wrong MD5":                 {func(l *lock.Lock) { l.Packages[0].MD5 = "abc" }, "MD5"},
	"a negative size":             {func(l *lock.Lock) { l.Wheels[0].Size = -1 }, "-1 bytes"},
	"a negative time":             {func(l *lock.Lock) { l.Packages[0].Timestamp = -1 }, "negative"},
	"a name with a path":          {func(l *lock.Lock) { l.Packages[0].Name = "../python" }, "not the name"},
	"a name that is an option":    {func(l *lock.Lock) { l.Wheels[0].Name = "-rfile" }, "not the normalised name"},
	"a name that is no normal":    {func(l *lock.Lock) { l.Wheels[0].Name = "Cowsay" }, "not the normalised name"},
	"a name twice":                {func(l *lock.Lock) { l.Wheels = append(l.Wheels, l.Wheels[0]) }, "there twice"},
	"a version with a line":       {func(l *lock.Lock) { l.Packages[0].Version = "1\n2" }, "for a version"},
	"a build with a path":         {func(l *lock.Lock) { l.Packages[0].Build = "../0" }, "for a build"},
	"another platform":            {func(l *lock.Lock) { l.Packages[1].Subdir = "win-64" }, "the lock for"},
	"an unknown noarch":           {func(l *lock.Lock) { l.Packages[3].Noarch = "ruby" }, "noarch"},
	"an artifact of another name": {func(l *lock.Lock) { l.Packages[0].URL = l.Packages[1].URL }, "file name"},
	"a wheel of another name":     {func(l *lock.Lock) { l.Wheels[1].Name = "sayings" }, "is a file of cowsay"},
	"a wheel of another version":  {func(l *lock.Lock) { l.Wheels[1].Version = "6.2" }, "is not of version"},
	"a file name with a path":     {func(l *lock.Lock) { l.Wheels[0].Filename = "../x-1-py3-none-any.whl" }, "name of a wheel's file"},
	"a source distribution":       {func(l *lock.Lock) { l.Wheels[0].Filename = "x-1.tar.gz" }, "name of a wheel's file"},
	"an address of another file":  {func(l *lock.Lock) { l.Wheels[0].URL = l.Wheels[1].URL }, "does not end in"},
	"no address of a package":     {func(l *lock.Lock) { l.Packages[0].URL = "" }, "address"},
	"an address of a file":        {func(l *lock.Lock) { l.Packages[0].URL = "python-3.11.7-0_cpython.conda" }, "address"},
	"another scheme":              {func(l *lock.Lock) { l.Wheels[0].URL = "git+ssh://x/cowsay-6.1-py3-none-any.whl" }, "address"},
	"a file on a server":          {func(l *lock.Lock) { l.Channels[0] = "file://server/channel" }, "address"},
	"an address with dots":        {func(l *lock.Lock) { l.Channels[0] += "/../x" }, ".."},
	"an address with hidden dots": {func(l *lock.Lock) { l.Channels[0] += "/%2e%2e/x" }, ".."},
	"an address with a password":  {func(l *lock.Lock) { l.Channels[0] = "https://u:sesame@conda.example/forge" }, "plain addresses"},
	"an address with a user":      {func(l *lock.Lock) { l.Indexes[0] = "https://sesame@index.example/simple" }, "plain addresses"},
	"an address with a token": {func(l *lock.Lock) {
		l.Packages[0].URL = strings.Replace(l.Packages[0].URL, "/forge/", "/t/sesame/forge/", 1)
	}, "plain addresses"},
	"an address with a query":       {func(l *lock.Lock) { l.Wheels[0].URL += "?key=sesame" }, "plain addresses"},
	"an address with a fragment":    {func(l *lock.Lock) { l.Wheels[0].URL += "#sesame" }, "plain addresses"},
	"a dependency with a line":      {func(l *lock.Lock) { l.Packages[0].Depends = []string{"x\ny"} }, "not text"},
	"a dependency with a password":  {func(l *lock.Lock) { l.Packages[0].Depends = []string{"https://u:sesame@x/c::y"} }, "plain addresses"},
	"a licence with a line":         {func(l *lock.Lock) { l.Wheels[0].License = "MIT\n- evil" }, "not text"},
	"a solver with a token":         {func(l *lock.Lock) { l.Solver = "https://x/t/sesame/y" }, "plain addresses"},
	"a time that is none":           {func(l *lock.Lock) { l.Wheels[0].Uploaded = "yesterday" }, "RFC 3339"},
	"a record that is none":         {func(l *lock.Lock) { l.Packages[0].Record = json.RawMessage(`[]`) }, "record"},
	"a record of another package":   {func(l *lock.Lock) { l.Packages[0].Record = json.RawMessage(`{"name":"x"}`) }, "the name differs"},
	"a record with another address": {func(l *lock.Lock) { l.Packages[0].Record = json.RawMessage(`{"url":"https://evil/x","URL":"y"}`) }, "the url differs"},
	"a record with another hash":    {func(l *lock.Lock) { l.Packages[0].Record = json.RawMessage(`{"sha256":"` + hash("9") + `"}`) }, "the sha256 differs"},
	"a record with a password": {func(l *lock.Lock) {
		l.Packages[0].Record = json.RawMessage(`{"channel":["https:\/\/u:sesame\u0040x/y"]}`)
	}, "user or a token"},
}

func TestDecodeRefusesWhatMustNotBeUsed(t *testing.T) {
	t.Parallel()
	for name, test := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := sample()
			test.change(l)
			_, err := lock.Decode(encode(t, l))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Decode: %v, want an error that says %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("the error tells a secret: %v", err)
			}
			for _, format := range lock.Formats {
				if text, err := l.Export(format, "x"); err == nil || bytes.Contains(text, []byte("sesame")) || strings.Contains(err.Error(), "sesame") {
					t.Errorf("Export(%s) = %q, %v, want an error that tells no secret", format, text, err)
				}
			}
		})
	}
	for _, text := range []string{"", "{}", "null", `{"version":2}`, `{"version":1,"kind":"conda","platform":"linux-64"}x`, `{"unknown":1}`} {
		if _, err := lock.Decode([]byte(text)); err == nil {
			t.Errorf("Decode(%q) takes it", text)
		}
	}
}

func TestAWheelWithoutAddressIsTheIndexs(t *testing.T) {
	t.Parallel()
	l := venvSample()
	l.Wheels[0].URL = ""
	if _, err := lock.Decode(encode(t, l)); err != nil {
		t.Fatal(err)
	}
	validate(t, export(t, l, lock.CycloneDX, "x"))
	if text := string(export(t, l, lock.Requirements, "x")); !strings.Contains(text, "cowsay==6.1") {
		t.Errorf("the requirements are %s", text)
	}
	if _, err := l.Export(lock.CondaLock, "x"); err == nil || !strings.Contains(err.Error(), "none for cowsay") {
		t.Errorf("conda-lock, which needs addresses: %v", err)
	}
}

func TestCompareTellsWhatChanges(t *testing.T) {
	t.Parallel()
	before, after := sample(), sample()
	after.Packages[0].Build, after.Packages[0].SHA256 = "1_cpython", hash("7")
	after.Packages[1].Version, after.Packages[1].SHA256 = "1.26.4", hash("8")
	after.Packages[3].Version, after.Packages[3].SHA256 = "5.20", hash("9")
	after.Packages = append(after.Packages, conda("cowsay", "6.1", "0", "noarch", "6"))
	after.Wheels = after.Wheels[:1]
	want := lock.Diff{
		Added:   []lock.Change{{Name: "cowsay", From: "conda", New: "6.1", NewBuild: "0", Bytes: 1000}},
		Removed: []lock.Change{{Name: "cowsay", From: "pip", Old: "6.1"}},
		Changed: []lock.Change{
			{Name: "numpy", From: "conda", Old: "2.4.6", New: "1.26.4", OldBuild: "py311_0", NewBuild: "py311_0", Direction: "down", Bytes: 1000},
			{Name: "python", From: "conda", Old: "3.11.7", New: "3.11.7", OldBuild: "0_cpython", NewBuild: "1_cpython", Direction: "build", Bytes: 1000},
			{Name: "traitlets", From: "conda", Old: "5.16.1", New: "5.20", OldBuild: "py_0", NewBuild: "py_0", Direction: "up", Bytes: 1000},
		},
		Unchanged: 2, Bytes: 4000,
	}
	if got := lock.Compare(before, after); !reflect.DeepEqual(got, want) {
		t.Errorf("Compare = %+v, want %+v", got, want)
	}
	if got := lock.Compare(nil, before); len(got.Added) != 6 || got.Bytes != before.Bytes() {
		t.Errorf("Compare with nothing = %+v, want everything added", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, l := range []*lock.Lock{sample(), venvSample()} {
		text, _ := l.Encode()
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := lock.Decode(text)
		if err != nil {
			return
		}
		again, err := lock.Decode(encode(t, l))
		if err != nil || again.ID() != l.ID() {
			t.Fatalf("what was decoded is not decoded again: %v", err)
		}
		for _, format := range lock.Formats {
			if _, err := l.Export(format, "name"); err != nil && format != lock.Explicit && format != lock.CondaLock {
				t.Errorf("Export(%s): %v", format, err)
			}
		}
	})
}
