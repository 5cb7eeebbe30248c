package uv_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/uv"
)

// place is a virtual environment with folders of caches beside it.
type place struct {
	tool   *uv.Tool
	prefix string
	req    uv.InstallRequest
}

func newPlace(t *testing.T) place {
	t.Helper()
	tool, dir := newTool(t), t.TempDir()
	p := place{tool: tool, prefix: filepath.Join(dir, "env with space")}
	if err := tool.Venv(t.Context(), interpreter(t).Path, p.prefix); err != nil {
		t.Fatal(err)
	}
	p.req = uv.InstallRequest{Python: filepath.Join(p.prefix, "bin", "python"), Dir: filepath.Join(dir, "wheels"), UVCache: filepath.Join(dir, "uv")}
	return p
}

// put has the distributions in the folder of wheels, as Fetch leaves them.
func (p *place) put(t *testing.T, all ...distribution) {
	t.Helper()
	for _, d := range all {
		content := d.wheel(t)
		w := locked(d, content, "http://unused")
		path := at(p.req.Dir, w)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		p.req.Wheels = append(p.req.Wheels, w)
	}
}

func (p *place) run(t *testing.T, code string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), p.req.Python, "-c", code).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return strings.TrimSpace(string(out))
}

func TestVenvIsEmpty(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	entries, err := os.ReadDir(sitePackages(t, p.prefix))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "_virtualenv") {
			t.Errorf("%s is in a new environment", e.Name())
		}
	}
	if got := p.run(t, "import sys; print(sys.prefix)"); got != p.prefix {
		t.Errorf("prefix = %s, want %s", got, p.prefix)
	}
	// An empty folder will do as well; one with something in it must not be touched.
	empty := t.TempDir()
	if err := p.tool.Venv(t.Context(), interpreter(t).Path, empty); err != nil {
		t.Error(err)
	}
	if err := p.tool.Venv(t.Context(), interpreter(t).Path, p.prefix); err == nil {
		t.Error("a folder with something in it was used")
	}
}

func sitePackages(t *testing.T, prefix string) string {
	t.Helper()
	all, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3.*", "site-packages"))
	if len(all) != 1 {
		t.Fatalf("folders of packages: %v", all)
	}
	return all[0]
}

func TestInstallPutsExactlyTheWheelsInPlace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t,
		distribution{name: "one", version: "1.0", requires: []string{"not-there"}, files: []file{{name: "one-1.0.data/scripts/one-script", text: "#!python\nprint('ran')\n"}}},
		distribution{name: "two-three", version: "2.0+local.1", files: []file{{name: "two-three-2.0+local.1.data/data/share/two.txt", text: "x"}}})
	var heard sink
	if err := p.tool.Install(t.Context(), p.req, heard.tell); err != nil {
		t.Fatal(err)
	}
	if got := p.run(t, "import one, two_three; print(one.version, two_three.version)"); got != "1.0 2.0+local.1" {
		t.Errorf("imported %s", got)
	}
	if e := heard.last(); e.Phase != driver.Pip || e.Done != 2 || e.Total != 2 {
		t.Errorf("last event = %+v", e)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(p.prefix, "bin", "one-script")).Output(); err != nil || string(out) != "ran\n" {
		t.Errorf("script: %q, %v", out, err)
	}
	info, err := os.Stat(filepath.Join(sitePackages(t, p.prefix), "one.py"))
	if err != nil {
		t.Fatal(err)
	}
	if links := info.Sys().(*syscall.Stat_t).Nlink; links < 2 {
		t.Errorf("one.py has %d links; it was copied", links)
	}
	if left, _ := filepath.Glob(filepath.Join(p.req.Dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestInstallUnpacksAWheelOnceForAllEnvironments(t *testing.T) {
	t.Parallel()
	first := newPlace(t)
	first.put(t, long("one"))
	if err := first.tool.Install(t.Context(), first.req, nil); err != nil {
		t.Fatal(err)
	}
	second := newPlace(t)
	second.req.Wheels, second.req.Dir, second.req.UVCache = first.req.Wheels, first.req.Dir, first.req.UVCache
	if err := second.tool.Install(t.Context(), second.req, nil); err != nil {
		t.Fatal(err)
	}
	a, errA := os.Stat(filepath.Join(sitePackages(t, first.prefix), "one_data.txt"))
	b, errB := os.Stat(filepath.Join(sitePackages(t, second.prefix), "one_data.txt"))
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		t.Errorf("not the same file (%v, %v)", errA, errB)
	}
}

func TestInstallRefusesBrokenWheels(t *testing.T) {
	t.Parallel()
	bad := func(files ...file) distribution {
		return distribution{name: "bad", version: "1.0", files: files}
	}
	entry := func(text string) distribution {
		return bad(file{name: "bad-1.0.dist-info/entry_points.txt", text: text})
	}
	for _, c := range []struct {
		name string
		d    distribution
		says string
	}{
		{"a name that climbs", bad(file{name: "../../../../evil.txt"}), "leads out"},
		{"a name that climbs inside", bad(file{name: "x/../../evil.txt"}), "leads out"},
		{"an absolute name", bad(file{name: "/tmp/evil.txt"}), "leads out"},
		{"a name of another system", bad(file{name: `..\evil.txt`}), "leads out"},
		{"data that climbs", bad(file{name: "bad-1.0.data/data/../../evil.txt"}), "leads out"},
		{"a symbolic link", bad(file{name: "link", text: "/etc/passwd", mode: fs.ModeSymlink}), "not a plain file"},
		{"a device", bad(file{name: "device", mode: fs.ModeDevice}), "not a plain file"},
		{"a program with its owner's rights", bad(file{name: "bad-1.0.data/scripts/su", mode: fs.ModeSetuid}), "not a plain file"},
		{"another interpreter", bad(file{name: "bad-1.0.data/scripts/python3", text: "#!python\n"}), "replace bin/python3"},
		{"another interpreter as data", bad(file{name: "bad-1.0.data/data/bin/python"}), "replace bin/python"},
		{"other settings", bad(file{name: "bad-1.0.data/data/pyvenv.cfg", text: "home = /x"}), "replace pyvenv.cfg"},
		{"another activation", bad(file{name: "bad-1.0.data/data/bin/activate", text: "exit"}), "replace bin/activate"},
		{"a script that climbs", entry("[console_scripts]\n../../evil = bad:main\n"), "../../evil"},
		{"a script that is the interpreter", entry("[ gui_scripts ]\npython3.11=bad:main\n"), "python3.11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.put(t, distribution{name: "good", version: "1.0"}, c.d)
			f := failure(t, p.tool.Install(t.Context(), p.req, nil), driver.PackageBroken)
			if f.Package != "bad" {
				t.Errorf("package = %q", f.Package)
			}
			has(t, f.Message, c.says)
			if _, err := os.Stat(filepath.Join(sitePackages(t, p.prefix), "good.py")); err == nil {
				t.Error("some of it was installed all the same")
			}
		})
	}
}

func TestInstallReplacesNothingOfOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	site := sitePackages(t, p.prefix)
	if err := os.WriteFile(filepath.Join(site, "one.py"), []byte("of conda\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.put(t, distribution{name: "one", version: "1.0"})
	has(t, failure(t, p.tool.Install(t.Context(), p.req, nil), driver.PackageBroken).Message, "one.py")
	if got, _ := os.ReadFile(filepath.Join(site, "one.py")); string(got) != "of conda\n" {
		t.Errorf("it holds %q now", got)
	}
	if err := os.WriteFile(filepath.Join(site, "one.py"), []byte("version = '1.0'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.tool.Install(t.Context(), p.req, nil); err != nil {
		t.Errorf("the same content is refused: %v", err)
	}
}

func TestInstallTellsOfFilesThatTwoWheelsBring(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, distribution{name: "one", version: "1.0", files: []file{{name: "tests/__init__.py", text: "1"}}},
		distribution{name: "two", version: "1.0", files: []file{{name: "tests/__init__.py", text: "2"}}})
	var heard sink
	if err := p.tool.Install(t.Context(), p.req, heard.tell); err != nil {
		t.Fatal(err)
	}
	has(t, heard.texts(), "one and two both bring", "tests/__init__.py")
}

func TestInstallOfSpoiledFiles(t *testing.T) {
	t.Parallel()
	spoil := func(t *testing.T, change func([]byte) []byte) error {
		p := newPlace(t)
		p.put(t, long("one"))
		path := at(p.req.Dir, p.req.Wheels[0])
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p.tool.Install(t.Context(), p.req, nil)
	}
	t.Run("other content is known by its hash", func(t *testing.T) {
		t.Parallel()
		other := distribution{name: "one", version: "1.0"}.wheel(t)
		f := failure(t, spoil(t, func([]byte) []byte { return other }), driver.HashMismatch)
		if f.Package != "one" {
			t.Errorf("package = %q", f.Package)
		}
	})
	t.Run("half a file cannot be read", func(t *testing.T) {
		t.Parallel()
		failure(t, spoil(t, func(b []byte) []byte { return b[:len(b)/2] }), driver.PackageBroken)
	})
}

func TestInstallEndsWhenCanceled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, distribution{name: "one", version: "1.0"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	failure(t, p.tool.Install(ctx, p.req, nil), driver.Canceled)
}

func TestInstallOnAFullDisk(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if err := os.MkdirAll(p.req.UVCache, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", p.req.UVCache, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("this user cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(p.req.UVCache, 0) })
	p.put(t, long("one"))
	failure(t, p.tool.Install(t.Context(), p.req, nil), driver.DiskFull)
}

func TestSearchListsVersionsNewestFirst(t *testing.T) {
	t.Parallel()
	i := newIndex(t,
		distribution{name: "my-lib", version: "1.9"}, distribution{name: "my-lib", version: "1.10", headers: "Summary: does things\nLicense-Expression: MIT\n"},
		distribution{name: "my-lib", version: "2.0rc1"}, distribution{name: "my-lib", version: "1.10.post1", yanked: true},
		distribution{name: "my-lib", version: "3.0", sdist: true})
	want := []string{"1.10", "1.9", "2.0rc1"}
	for _, html := range []bool{false, true} {
		i.asHTML(html)
		got, err := newTool(t).Search(t.Context(), i.simple(), " My_Lib")
		if err != nil || len(got) != 1 || got[0].Name != "my-lib" || got[0].From != "pip" || !slices.Equal(got[0].Versions, want) {
			t.Fatalf("html %t: got %+v, %v", html, got, err)
		}
		if got[0].Summary != "does things" || got[0].License != "MIT" {
			t.Errorf("html %t: summary %q, licence %q", html, got[0].Summary, got[0].License)
		}
	}
	for _, name := range []string{"no-such-thing", "../x", "", "a b"} {
		if got, err := newTool(t).Search(t.Context(), i.simple(), name); err != nil || len(got) != 0 {
			t.Errorf("Search(%q) = %+v, %v; want nothing", name, got, err)
		}
	}
}

func TestSearchNamesTheCause(t *testing.T) {
	t.Parallel()
	_, err := newTool(t).Search(t.Context(), "http://user:hunter2@"+strings.TrimPrefix(nobody, "http://"), "one")
	if f := failure(t, err, driver.ChannelUnreachable); strings.Contains(f.Message, "hunter2") {
		t.Errorf("the password is told: %s", f.Message)
	}
	_, err = (&uv.Tool{Hosts: here, Offline: true}).Search(t.Context(), newIndex(t).simple(), "one")
	failure(t, err, driver.ChannelUnreachable)
}
