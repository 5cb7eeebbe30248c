package build_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

// activated is a program on a prefix as the gateway would start it.
func activated(t testing.TB, m *store.Manifest, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + m.Bin + ":/usr/bin:/bin", "HOME=" + t.TempDir()}
	for name, value := range m.Variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

func TestBuiltEnvironmentRunsAndIsDescribed(t *testing.T) {
	t.Parallel()
	r := setup(t)
	m := r.build(r.solve(specOf(kernel...)), private(t), func(o *store.Order) { o.Requested = []string{"numpy"} })
	if got := python(t, m, "-c", "import ssl, sqlite3, numpy, ipykernel, os; print(numpy.__version__, os.environ['TEST'])"); got != "2.4.6 "+t.Name() {
		t.Errorf("the environment says %q", got)
	}
	if m.PythonVersion == "" || len(m.Kernelspecs) != 1 || m.Kernelspecs[0].Name != "python3" || m.Files < 5000 || m.Tool == "" {
		t.Errorf("manifest = %d files, Python %q, kernelspecs %v, tool %q", m.Files, m.PythonVersion, m.Kernelspecs, m.Tool)
	}
	i := slices.IndexFunc(m.Packages, func(p store.Item) bool { return p.Name == "numpy" })
	if i < 0 || !m.Packages[i].Requested || m.Packages[i].License == "" || m.Packages[i].Channel != r.chans[0] && m.Packages[i].Channel != r.chans[0]+"/" {
		t.Errorf("packages = %+v, want numpy with its licence and channel", m.Packages)
	}
	if r.store.Link() == "hardlink" && (m.Link != "hardlink" || m.OwnBytes > m.Bytes/10) {
		t.Errorf("link = %s, %d of %d bytes are its own", m.Link, m.OwnBytes, m.Bytes)
	}
	all := events(t, r.store, m.ID)
	if first, last := all[0], all[len(all)-1]; first.State != "building" || last.Type != driver.TypeResult || last.State != "ready" {
		t.Errorf("events begin with %+v and end with %+v", first, last)
	}
	var phases []driver.Phase
	for _, e := range all {
		if e.Type == driver.TypeState && e.Phase != "" && !slices.Contains(phases, e.Phase) {
			phases = append(phases, e.Phase)
		}
	}
	if !slices.IsSorted(order(phases)) || phases[len(phases)-1] != driver.Finish {
		t.Errorf("phases = %v", phases)
	}
}

// order are the positions of phases among all.
func order(phases []driver.Phase) (at []int) {
	for _, p := range phases {
		at = append(at, slices.Index(driver.Phases, p))
	}
	return at
}

// names are all names in a prefix, with the compiled modules among them by their flags.
func names(t *testing.T, prefix string) (all []string, flags map[uint32]int) {
	t.Helper()
	flags = map[uint32]int{}
	err := filepath.WalkDir(prefix, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		all = append(all, path)
		if filepath.Ext(path) == ".pyc" && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil || len(b) < 16 {
				t.Errorf("%s has %d bytes, %v", path, len(b), err)
				return nil
			}
			flags[binary.LittleEndian.Uint32(b[4:])]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all, flags
}

// importAll imports every module that can be, as its user does: compiled modules would be written.
const importAll = `
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
skip = ("antigravity", "this", "idlelib", "__main__", "turtledemo", "test.", "lib2to3.tests", "ctypes.test", "distutils", "unittest.test", "tkinter.test")
done = 0
for m in pkgutil.iter_modules():
    if not m.name.startswith(skip):
        try:
            importlib.import_module(m.name); done += 1
        except BaseException:
            pass
import numpy.linalg, numpy.random, ipykernel.kernelapp, IPython.core.interactiveshell, jedi.api, pip._internal.cli.main, sysconfig
sysconfig.get_config_vars()
print(done)
`

func TestNoProgramWritesCompiledModules(t *testing.T) {
	t.Parallel()
	r := setup(t)
	m := r.build(r.solve(specOf(kernel...)), private(t))
	before, flags := names(t, m.Prefix)
	// 1 is "by hash, unchecked": neither path nor time counts.
	if len(flags) != 1 || flags[1] < 2000 {
		t.Errorf("flags of compiled modules = %v, want thousands of 1 alone", flags)
	}
	t.Log(python(t, m, "-c", importAll))
	unchanged(t, m.Prefix, before)
}

// unchanged checks that a prefix has the names that it had.
func unchanged(t *testing.T, prefix string, before []string) {
	t.Helper()
	after, _ := names(t, prefix)
	for _, n := range after {
		if _, found := slices.BinarySearch(before, n); !found {
			t.Errorf("%s has come to be", n)
		}
	}
	if len(after) < len(before) {
		t.Errorf("the environment had %d names and has %d", len(before), len(after))
	}
}

func TestCodeOfSharedModulesNamesItsOwnEnvironment(t *testing.T) {
	t.Parallel()
	r := setup(t)
	l := r.solve(specOf(kernel...))
	a := r.build(l, private(t))
	b := r.build(l, store.Options{Variables: map[string]string{"TEST": t.Name() + " again"}})
	const where = "import traitlets, sysconfig; print(traitlets.signature_has_traits.__code__.co_filename, sysconfig.get_config_var('prefix'))"
	for _, m := range []*store.Manifest{a, b} {
		if got := python(t, m, "-c", where); strings.Count(got, m.Prefix) != 2 {
			t.Errorf("code is of %q, want of %s", got, m.Prefix)
		}
	}
	ino := func(m *store.Manifest) uint64 {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(m.Prefix, "lib/python3.11/site-packages/traitlets/__pycache__/log.cpython-311.pyc"), &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	if r.store.Link() == "hardlink" && ino(a) != ino(b) {
		t.Error("compiled modules are not shared")
	}
}

func TestPipSaysThatTheEnvironmentIsManaged(t *testing.T) {
	t.Parallel()
	r := setup(t)
	m := r.build(r.solve(specOf(kernel...)), private(t))
	out, err := activated(t, m, m.Python, "-m", "pip", "install", "--no-index", "something").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "managed by Hopyard") {
		t.Errorf("pip install: %v, and says:\n%s", err, out)
	}
	out, err = activated(t, m, r.tools.UV, "pip", "install", "--offline", "--no-index", "--python", m.Python, "something").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "managed by Hopyard") {
		t.Errorf("uv pip install: %v, and says:\n%s", err, out)
	}
}

func TestEvilPackagesOfTheChannelAreRefused(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for _, name := range []string{"symlink-outside", "paths-traversal", "entry-traversal", "tar-traversal", "wrong-hash"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := (&rig{t: t, store: r.store, tools: r.tools, drv: r.drv, chans: r.chans}).fresh()
			id := r.order(r.solve(specOf(name)), private(t))
			err := build.Run(t.Context(), build.Config{Store: r.store, ID: id})
			if f := driver.FailureOf(err); err == nil || f.Cause != driver.PackageBroken && f.Cause != driver.HashMismatch {
				t.Errorf("build = %v, want that the package is refused", err)
			}
			leftNothing(t, r.store)
		})
	}
}

func TestPackagesOfTheChannelAreBuilt(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for _, name := range []string{"symlink-inside", "many-files", "odd-names", "bash-kernelspec", "activates", "link-script"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{t: t, store: r.store, tools: r.tools, drv: r.drv, chans: r.chans}
			m := r.build(r.solve(specOf(name)), private(t))
			switch name {
			case "many-files":
				if m.Files < 20_000 {
					t.Errorf("%d files", m.Files)
				}
			case "activates":
				if m.Variables["ACTIVATES_VARIABLE"] == "" || m.Variables["ACTIVATES"] != "" {
					t.Errorf("variables = %v, want those of files and none of scripts", m.Variables)
				}
			case "bash-kernelspec":
				if len(m.Kernelspecs) == 0 {
					t.Error("no kernelspec")
				}
			}
		})
	}
}
