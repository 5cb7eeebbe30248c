package conda_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestInfoNamesTheTool(t *testing.T) {
	t.Parallel()
	got, err := newDriver(t).Info(t.Context())
	if err != nil || got.Name != "rattler" || got.Kind != lock.Conda || got.Version != "py-rattler 0.28.0" {
		t.Errorf("Info = %+v, %v", got, err)
	}
}

func TestSolveGivesALockThatCanBeTrusted(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	req := wants(t, local(t), "python=3.11", "ipykernel", "numpy")
	l := solve(t, d, req)
	if l.Python != "3.11" || l.Kind != lock.Conda || l.Platform != "linux-64" {
		t.Errorf("lock is for %s %s %s", l.Kind, l.Platform, l.Python)
	}
	if got := versions(l); got["ipykernel"] != "7.4.0" || got["numpy"] != "2.4.6" {
		t.Errorf("solved %v", got)
	}
	if !slices.IsSortedFunc(l.Packages, func(a, b lock.Package) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("packages are not sorted by name")
	}
	if !slices.ContainsFunc(l.Virtual, func(v string) bool { return strings.HasPrefix(v, "__glibc=") }) || len(l.Virtual) != 1 {
		t.Errorf("virtual packages = %v, want __glibc alone: nothing depends on another", l.Virtual)
	}
	if err := l.Check(); err != nil {
		t.Errorf("the lock does not pass its own check: %v", err)
	}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := lock.Decode(text)
	if err != nil || again.ID() != l.ID() {
		t.Errorf("read back: %v", err)
	}
	if warm := solve(t, d, req); warm.ID() != l.ID() {
		t.Error("the same request gave another lock")
	}
}

func TestSolveStaysWithWhatIsThere(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	old := solve(t, d, wants(t, local(t), "python=3.11", "numpy=1.26", "traitlets=5.14"))
	req := wants(t, local(t), "python=3.11", "numpy", "traitlets", "packaging")
	req.Prefer = old
	for name, d := range map[string]*conda.Driver{"a helper that knows the records": d, "a new helper": newDriver(t)} {
		got := versions(solve(t, d, req))
		if got["numpy"] != "1.26.4" || got["traitlets"] != "5.14.3" {
			t.Errorf("%s: with the old lock preferred = %v", name, got)
		}
		upgrade := req
		upgrade.Upgrade = []string{"numpy"}
		if got := versions(solve(t, d, upgrade)); got["numpy"] != "2.4.6" || got["traitlets"] != "5.14.3" {
			t.Errorf("%s: with numpy to be upgraded = %v", name, got)
		}
	}
}

func TestSolveShowsAConflictAsATree(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	_, err := d.Solve(t.Context(), wants(t, local(t), "conflict-left", "conflict-right"), nil)
	f := failure(t, err, driver.Unsatisfiable)
	for _, want := range []string{"conflict-left", "conflict-right", "conflict-base"} {
		if !strings.Contains(f.Tree, want) {
			t.Errorf("tree lacks %s:\n%s", want, f.Tree)
		}
	}
	if strings.Contains(f.Tree, "Cannot solve the request") {
		t.Errorf("tree begins with the tool's own words:\n%s", f.Tree)
	}
}

func TestSolveNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	_, err := d.Solve(t.Context(), wants(t, local(t), "python=3.11", "numpie"), nil)
	f := failure(t, err, driver.PackageMissing)
	if f.Package != "numpie" || !slices.Contains(f.Near, "numpy") || f.Line != 3 || f.Column != 5 {
		t.Errorf("failure = %+v, want numpie at 3:5 with numpy near", f)
	}
	_, err = d.Solve(t.Context(), wants(t, local(t), "numpy=99"), nil)
	if f := failure(t, err, driver.Unsatisfiable); !strings.Contains(f.Tree, "numpy 99") {
		t.Errorf("a version that there is not: %s", f.Tree)
	}
	_, err = d.Solve(t.Context(), wants(t, local(t), "missing-dependency"), nil)
	if f := failure(t, err, driver.Unsatisfiable); !strings.Contains(f.Tree, "no-such-package") {
		t.Errorf("a dependency that there is not: %s", f.Tree)
	}
}

func TestSolveKeepsOutWhatIsTooNew(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	req := wants(t, local(t), "too-new")
	req.MinimumAgeSeconds = 20 * 365 * 24 * 3600 // longer ago than anything was indexed
	_, err := d.Solve(t.Context(), req, nil)
	if f := failure(t, err, driver.Unsatisfiable); !strings.Contains(f.Tree, "cutoff") {
		t.Errorf("tree = %s, want the date from which on packages are too new", f.Tree)
	}
}

// The test channel was indexed when it was made; its packages say that they are of 2024.
func TestSolveGoesByWhenAPackageWasMadeAndNotByWhenItsMirrorWasIndexed(t *testing.T) {
	t.Parallel()
	young := wants(t, testchannel.Serve(t).Channel(), "python=3.11", "ipykernel", "too-new")
	l := solve(t, newDriver(t), young)
	aged := young
	aged.MinimumAgeSeconds = 365 * 24 * 3600
	got := solve(t, newDriver(t), aged)
	if v := versions(got)["too-new"]; v != "1.0" {
		t.Errorf("too-new = %q, want 1.0: 2.0 is of 2099", v)
	}
	if a, b := record(t, l, "ipykernel"), record(t, got, "ipykernel"); a != b {
		t.Errorf("the record of a package depends on the age that was asked for:\n%s\n%s", a, b)
	}
	aged.Prefer = l
	if v := versions(solve(t, newDriver(t), aged))["ipykernel"]; v != versions(l)["ipykernel"] {
		t.Errorf("ipykernel = %q with the old lock preferred", v)
	}
}

func record(t *testing.T, l *lock.Lock, name string) string {
	t.Helper()
	for _, p := range l.Packages {
		if p.Name == name {
			return string(p.Record)
		}
	}
	t.Fatalf("no %s in the lock", name)
	return ""
}

// A channel may name others to be read with it (CEP 42). Whoever runs it must not choose where packages come from.
func TestSolveReadsNoChannelThatOnlyAnotherChannelNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(channel, subdir, text string) {
		t.Helper()
		at := filepath.Join(dir, channel, subdir)
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "repodata.json"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	const thing = `{"info":{"subdir":"noarch"},"packages":{},"packages.conda":{"thing-1.0-0.conda":{"name":"thing","version":"1.0","build":"0",` +
		`"build_number":0,"depends":[],"subdir":"noarch","size":1,"sha256":"1111111111111111111111111111111111111111111111111111111111111111"}}}`
	write("front", "noarch", `{"info":{"subdir":"noarch","channel_relations":{"base":"../behind"}},"packages":{},"packages.conda":{}}`)
	write("behind", "noarch", thing)
	for _, channel := range []string{"front", "behind"} {
		write(channel, "linux-64", `{"info":{"subdir":"linux-64"},"packages":{},"packages.conda":{}}`)
	}
	d := newDriver(t)
	solve(t, d, wants(t, filepath.Join(dir, "behind"), "thing"))
	_, err := d.Solve(t.Context(), wants(t, filepath.Join(dir, "front"), "thing"), nil)
	failure(t, err, driver.PackageMissing)
}

func TestSolveUsesNamesOfChannels(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	byName := newDriver(t, func(c *conda.Config) { c.ChannelURLs = map[string]string{"ours": server.Channel()} })
	byAlias := newDriver(t, func(c *conda.Config) { c.Alias = server.URL + "/" })
	one := solve(t, byName, wants(t, "ours", "packaging"))
	other := solve(t, byAlias, wants(t, "channel", "packaging"))
	if one.ID() != other.ID() || one.Channels[0] != server.Channel()+"/" {
		t.Errorf("channels = %v and %v", one.Channels, other.Channels)
	}
}

func TestDependencyOfANamedChannelComesFromItsAddress(t *testing.T) {
	t.Parallel()
	server, other := testchannel.Serve(t), testchannel.Serve(t)
	d := newDriver(t, func(c *conda.Config) {
		c.ChannelURLs = map[string]string{"ours": server.Channel(), "theirs": other.Channel()}
	})
	req := wants(t, "ours", "theirs::packaging", "ours::python=3.11")
	req.Channels = []string{"ours", "theirs"}
	for _, p := range solve(t, d, req).Packages {
		want := map[string]string{"packaging": other.URL, "python": server.URL}[p.Name]
		if !strings.HasPrefix(p.URL, want) {
			t.Errorf("%s comes from %s, want %s", p.Name, p.URL, want)
		}
	}
}

func TestManySolvesAtOnceAllGetTheirOwnAnswer(t *testing.T) {
	t.Parallel()
	d, channel := newDriver(t), local(t)
	var wg sync.WaitGroup
	for _, name := range []string{"packaging", "numpy", "traitlets", "ipykernel", "pandas", "requests", "agpl", "activates"} {
		req := wants(t, channel, name)
		wg.Go(func() {
			l, err := d.Solve(t.Context(), req, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if versions(l)[name] == "" {
				t.Errorf("%s got the answer of another: %v", name, versions(l))
			}
		})
	}
	wg.Wait()
}

func TestSolveAddsWheelsAroundTheCondaPart(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	d := newDriver(t)
	req := wantsText(t, server.Channel(), "dependencies:\n  - python=3.11\n  - numpy=1.26\n  - pip:\n    - cowsay\n    - numpy\n")
	req.Index = server.Simple()
	l := solve(t, d, req)
	if len(l.Wheels) != 1 || l.Wheels[0].Name != "cowsay" {
		t.Errorf("wheels = %+v, want cowsay alone: conda has numpy", l.Wheels)
	}
	if len(l.Indexes) != 1 || l.Indexes[0] != server.Simple() {
		t.Errorf("indexes = %v", l.Indexes)
	}
	req = wantsText(t, server.Channel(), "dependencies:\n  - python=3.11\n  - numpy=2\n  - pip:\n    - wants-old-numpy\n")
	req.Index = server.Simple()
	_, err := d.Solve(t.Context(), req, nil)
	failure(t, err, driver.Unsatisfiable)
	_, err = d.Solve(t.Context(), wantsText(t, server.Channel(), "dependencies:\n  - packaging\n  - agpl\n  - pip:\n    - cowsay\n"), nil)
	if err != nil && driver.FailureOf(err).Cause != driver.SpecInvalid {
		t.Errorf("wheels without a Python: %v", err)
	}
	_, err = d.Solve(t.Context(), wantsText(t, server.Channel(), "dependencies:\n  - agpl\n  - pip:\n    - cowsay\n"), nil)
	if f := failure(t, err, driver.SpecInvalid); f.Line != 4 {
		t.Errorf("wheels without a Python: line %d, want 4", f.Line)
	}
}

func TestSearchPutsTheBestNameFirst(t *testing.T) {
	t.Parallel()
	d := newDriver(t)
	got, err := d.Search(t.Context(), driver.Query{Text: "NumPy", Channels: []string{local(t)}, Limit: 5})
	if err != nil || len(got) == 0 {
		t.Fatalf("Search = %v, %v", got, err)
	}
	first := got[0]
	if first.Name != "numpy" || first.From != "conda" || !slices.Equal(first.Versions, []string{"2.4.6", "1.26.4"}) || first.License == "" {
		t.Errorf("first = %+v", first)
	}
	got, err = d.Search(t.Context(), driver.Query{Text: "clobber", Channels: []string{local(t)}, Limit: 1})
	if err != nil || len(got) != 1 || got[0].Name != "clobber-one" {
		t.Errorf("Search with a limit = %+v, %v", got, err)
	}
	got, err = d.Search(t.Context(), driver.Query{Text: "nothing-like-it", Channels: []string{local(t)}, Limit: 5})
	if err != nil || len(got) != 0 {
		t.Errorf("Search for what there is not = %+v, %v", got, err)
	}
}
