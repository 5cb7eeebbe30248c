package lock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

// urls are the addresses and hashes of a lock, which is what a form must keep.
func urls(l *lock.Lock) []string {
	var all []string
	for _, p := range l.Packages {
		all = append(all, p.URL+"#"+p.SHA256)
	}
	for _, w := range l.Wheels {
		all = append(all, w.URL+"#"+w.SHA256)
	}
	slices.Sort(all)
	return all
}

func TestImportReadsWhatExportWrites(t *testing.T) {
	t.Parallel()
	withoutWheels := sample()
	withoutWheels.Wheels = nil
	for name, test := range map[string]struct {
		of   *lock.Lock
		text []byte
	}{
		"explicit":   {withoutWheels, export(t, sample(), lock.Explicit, "x")},
		"conda-lock": {sample(), export(t, sample(), lock.CondaLock, "x")},
		"our own":    {sample(), encode(t, sample())},
		"our venv":   {venvSample(), encode(t, venvSample())},
		"with CRLF":  {withoutWheels, bytes.ReplaceAll(export(t, sample(), lock.Explicit, "x"), []byte("\n"), []byte("\r\n"))},
	} {
		got, err := lock.Import(test.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(urls(got), urls(test.of)) {
			t.Errorf("%s gives %v, want %v", name, urls(got), urls(test.of))
		}
		if got.Platform != "linux-64" || got.Python != "3.11" || got.Kind != test.of.Kind || !slices.Equal(got.Channels, test.of.Channels) {
			t.Errorf("%s gives %+v", name, got)
		}
	}
}

// TestImportBelievesNothingOfWhatIsInstalled: rules go by licences, times, sizes and names of dependencies, and who sends a lock could
// say what he likes. The interpreter is even started.
func TestImportBelievesNothingOfWhatIsInstalled(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*lock.Lock{"conda": sample(), "venv": venvSample()} {
		got, err := lock.Import(encode(t, l))
		if err != nil {
			t.Fatal(err)
		}
		if got.Base != nil || got.Indexes != nil || got.Virtual != nil || got.Solver != "" {
			t.Errorf("%s: %+v is kept", name, got)
		}
		for _, p := range got.Packages {
			want := lock.Package{Name: p.Name, Version: p.Version, Build: p.Build, Subdir: p.Subdir, URL: p.URL, SHA256: p.SHA256, Noarch: p.Noarch}
			if !reflect.DeepEqual(p, want) {
				t.Errorf("%s: %+v is kept", name, p)
			}
		}
		for _, w := range got.Wheels {
			if want := (lock.Wheel{Name: w.Name, Version: w.Version, Filename: w.Filename, URL: w.URL, SHA256: w.SHA256}); !reflect.DeepEqual(w, want) {
				t.Errorf("%s: %+v is kept", name, w)
			}
		}
	}
}

func TestImportKnowsAPackageByItsAddress(t *testing.T) {
	t.Parallel()
	got, err := lock.Import([]byte("@EXPLICIT\nhttps://conda.example/forge/noarch/backports.zoneinfo-tz-0.2.1-pyhd8ed1ab_0.conda#sha256:" + hash("A")))
	if err != nil {
		t.Fatal(err)
	}
	p := got.Packages[0]
	if p.Name != "backports.zoneinfo-tz" || p.Version != "0.2.1" || p.Build != "pyhd8ed1ab_0" || p.Noarch != "python" || p.SHA256 != hash("a") {
		t.Errorf("the package is %+v", p)
	}
}

func TestImportTakesWheelsByTheirAddress(t *testing.T) {
	t.Parallel()
	text := "# a comment\nTorch_Like @ https://index.example/files/torch_like-2.0%2Bcpu-py3-none-any.whl \\\n    --hash=sha256:" + hash("2") +
		"\n\ncowsay @ https://index.example/files/cowsay-6.1-py3-none-any.whl#sha256=" + hash("1") + "\n"
	got, err := lock.Import([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != lock.Venv || len(got.Wheels) != 2 || got.Wheels[1].Name != "torch-like" || got.Wheels[1].Version != "2.0+cpu" {
		t.Errorf("the lock is %+v", got)
	}
}

func TestImportChoosesThePlatformOfAFile(t *testing.T) {
	t.Parallel()
	text := string(export(t, sample(), lock.CondaLock, "x"))
	begin := strings.Index(text, "  - name: numpy")
	other := strings.NewReplacer("linux-64", "win-64", "/noarch/", "/win-64/").Replace(text[begin:])
	got, err := lock.Import([]byte(text + other + strings.Replace(text[begin:], "category: main", "category: dev", 6)))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(urls(got), urls(sample())) {
		t.Errorf("of a file for two platforms and two categories came %v", urls(got))
	}
	got, err = lock.Import([]byte(text[:begin] + other))
	if err != nil || got.Platform != "win-64" {
		t.Errorf("a file for one other platform: %+v, %v", got, err)
	}
}

func TestImportSaysWhyItRefuses(t *testing.T) {
	t.Parallel()
	const at = "https://conda.example/forge/noarch/x-1-0.conda"
	condaLock := string(export(t, sample(), lock.CondaLock, "x"))
	for text, says := range map[string]string{
		"":                                  "no packages",
		"@EXPLICIT\n":                       "no packages",
		"hello":                             "line 1: this is no lock",
		"name: x\ndependencies:\n- python":  "create the environment from it",
		"environments:\n  x:\npackages:\n-": "pixi",
		"@EXPLICIT\n\n" + at + "#" + strings.Repeat("a", 32): "line 3: the package has an MD5 alone",
		"@EXPLICIT\n" + at: "line 2: the package has no hash",
		"@EXPLICIT\n/srv/x-1-0.conda#sha256:" + hash("a"):                                  "line 2: this is no address",
		"@EXPLICIT\nhttps://u:sesame@conda.example/noarch/x-1-0.conda#sha256:" + hash("a"): "line 2: an address holds a user",
		"@EXPLICIT\nhttps://conda.example/t/sesame/noarch/x-1-0.conda#sha256:" + hash("a"): "line 2: an address holds a user",
		"@EXPLICIT\nhttps://conda.example/noarch/x.conda#sha256:" + hash("a"):              "NAME-VERSION-BUILD",
		"@EXPLICIT\nhttps://conda.example/noarch/..%2fx-1-0.conda#sha256:" + hash("a"):     "..",
		"@EXPLICIT\n" + at + "#sha256:" + hash("a") + "\n" + at + "#sha256:" + hash("b"):   "there twice",
		"@EXPLICIT\n" + at + "#sha256:abc":                                                 "SHA-256",
		at + "\n@EXPLICIT\n":                                                               "line 1: something stands before",
		"cowsay==6.1 --hash=sha256:" + hash("1"):                                           "solved anew",
		"cowsay @ https://x/cowsay-6.1-py3-none-any.whl":                                   "no SHA-256",
		"cowsay @ https://x/cowsay-6.1.tar.gz --hash=sha256:" + hash("1"):                  "not that of a wheel",
		"cowsay @ https://x/cowsay-6.1-py3-none-any.whl ; python_version>'3'":              "is no hash",
		"cowsay @ https://x/cowsay-6.1-py3-none-any.whl \\\n":                              "goes on",
		"dancer @ https://x/cowsay-6.1-py3-none-any.whl --hash=sha256:" + hash("1"):        "is a file of cowsay",
		strings.Replace(condaLock, "version: 1", "version: 2", 1):                          "version 2",
		strings.ReplaceAll(condaLock, "      sha256:", "      md4:"):                       "no SHA-256",
		strings.ReplaceAll(condaLock, "manager: pip", "manager: uv"):                       "no manager",
		strings.ReplaceAll(condaLock, "-py3-none-any.whl", ".tar.gz"):                      "no wheel",
		strings.ReplaceAll(condaLock, "https://conda.example/", "https://u:sesame@x/"):     "an address holds a user",
		"package: &a [*a]\nmetadata:\n":                                                    "no YAML",
		`{"version":1,"kind":"conda","platform":"linux-64"}`:                               "no packages",
		string(bytes.Repeat([]byte("x"), 33<<20)):                                          "too long",
		"\ufeff@EXPLICIT\r\n" + at + "#" + strings.Repeat("a", 32) + "\r\n":                "MD5 alone",
	} {
		_, err := lock.Import([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("Import(%.200q): %v, want an error that says %q", text, err, says)
		}
	}
}

func TestImportErrorsHaveTheirLine(t *testing.T) {
	t.Parallel()
	_, err := lock.Import([]byte("# one\n@EXPLICIT\nx\n"))
	if complaint, ok := errors.AsType[*lock.ImportError](err); !ok || complaint.Line != 3 {
		t.Errorf("Import: %#v, want an ImportError of line 3", err)
	}
}

// TestNoForgedRecordReachesTheInstaller: keys that differ in case are one to encoding/json, and two to the installer.
func TestNoForgedRecordReachesTheInstaller(t *testing.T) {
	t.Parallel()
	l := sample()
	l.Packages[1].Record = json.RawMessage(`{"sha256":"` + hash("9") + `","SHA256":"` + hash("b") + `"}`)
	if _, err := lock.Decode(encode(t, l)); err == nil || !strings.Contains(err.Error(), "sha256 differs") {
		t.Errorf("Decode: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, format := range []lock.Format{lock.Explicit, lock.CondaLock, lock.Requirements, lock.Environment} {
		text, _ := sample().Export(format, "x")
		f.Add(text)
	}
	text, _ := sample().Encode()
	f.Add(text)
	f.Add([]byte("cowsay @ https://x/cowsay-6.1-py3-none-any.whl --hash=sha256:" + hash("1")))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := lock.Import(text)
		if err != nil {
			return
		}
		if err := l.Check(); err != nil {
			t.Errorf("what was imported does not hold: %v", err)
		}
		again, err := lock.Import(encode(t, l))
		if err != nil || again.ID() != l.ID() {
			t.Errorf("what was imported is not imported again: %v", err)
		}
	})
}
