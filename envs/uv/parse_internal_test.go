package uv

import (
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

// pipTags prints pip's own list of tags for CPython 3.11 on glibc 2.28, the best first.
const pipTags = `
from pip._vendor.packaging import tags
platforms = []
for minor in range(28, 4, -1):
    platforms.append(f"manylinux_2_{minor}_x86_64")
    old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor)
    if old:
        platforms.append(old + "_x86_64")
platforms.append("linux_x86_64")
for tag in [*tags.cpython_tags((3, 11), ["cp311"], platforms), *tags.compatible_tags((3, 11), "cp311", platforms)]:
    print(tag)
`

func TestRankIsPipsOrder(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "python3", "-c", pipTags).Output()
	if err != nil {
		t.Skipf("no pip to compare with: %v", err)
	}
	goal := mustTarget(t, "3.11", "2.28")
	lines := strings.Fields(string(out))
	if len(lines) < 500 {
		t.Fatalf("pip has %d tags", len(lines))
	}
	var before [2]int
	for n, tag := range lines {
		w, err := parseWheelName("x-1-" + tag + ".whl")
		if err != nil {
			t.Fatal(err)
		}
		got, ok := goal.rank(w)
		if !ok {
			t.Fatalf("%s is not taken, pip has it as number %d", tag, n)
		}
		if n > 0 && slices.Compare(before[:], got[:]) >= 0 {
			t.Fatalf("%s is not after %s", tag, lines[n-1])
		}
		before = got
	}
}

func mustTarget(t testing.TB, python, glibc string) target {
	t.Helper()
	goal, err := targetOf(python, glibc, "linux-64")
	if err != nil {
		t.Fatal(err)
	}
	return goal
}

func TestBestIsTheWheelThatPipTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		python, glibc string
		want          string // empty: none
		others        []string
	}{
		{"3.11", "2.28", "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", []string{"numpy-2.4.6-cp311-cp311-musllinux_1_2_x86_64.whl", "numpy-2.4.6-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", "numpy-2.4.6-pp311-pypy311_pp73-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"}},
		{"3.11", "2.17", "", []string{"numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"}},
		{"3.13", "2.28", "cryptography-46.0.0-cp311-abi3-manylinux_2_28_x86_64.whl", []string{"cryptography-46.0.0-cp311-abi3-manylinux_2_34_x86_64.whl", "cryptography-46.0.0-cp38-abi3-manylinux_2_28_x86_64.whl", "cryptography-46.0.0-cp314-cp314t-manylinux_2_28_x86_64.whl"}},
		{"3.13", "2.36", "cryptography-46.0.0-cp311-abi3-manylinux_2_34_x86_64.whl", []string{"cryptography-46.0.0-cp311-abi3-manylinux_2_28_x86_64.whl"}},
		{"3.11", "2.28", "psutil-7.0.0-cp36-abi3-manylinux_2_12_x86_64.manylinux2010_x86_64.manylinux_2_17_x86_64.manylinux2014_x86_64.whl", []string{"psutil-7.0.0-cp37-abi3-win_amd64.whl", "psutil-7.0.0-cp36-cp36m-win32.whl"}},
		{"3.11", "2.28", "debugpy-1.8.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", []string{"debugpy-1.8.0-py2.py3-none-any.whl"}},
		{"3.12", "2.28", "debugpy-1.8.0-py2.py3-none-any.whl", []string{"debugpy-1.8.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}},
		{"3.11", "2.28", "x-1-2-py3-none-any.whl", []string{"x-1-1-py3-none-any.whl", "x-1-py3-none-any.whl"}},
		{"3.11", "2.28", "x-1-10a-py3-none-any.whl", []string{"x-1-9-py3-none-any.whl"}},
		{"3.11", "2.28", "", []string{"x-1-cp311-none-win_amd64.whl", "x-1-py2-none-any.whl", "x-1-py312-none-any.whl", "x-1.tar.gz", "x-1-cp312-abi3-manylinux1_x86_64.whl", "x-1-cp311-cp311d-manylinux1_x86_64.whl"}},
		{"3.11", "2.28", "uv-0.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", []string{"uv-0.9-py3-none-linux_armv6l.whl"}},
	} {
		names := append(slices.Clone(c.others), c.want)
		for range 2 {
			got := ""
			if at := mustTarget(t, c.python, c.glibc).best(names); at >= 0 {
				got = names[at]
			}
			if got != c.want {
				t.Errorf("Python %s, glibc %s: %q, want %q", c.python, c.glibc, got, c.want)
			}
			slices.Reverse(names) // the order on the index does not matter
		}
	}
}

func TestTargetsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"3", "", ""}, {"2.7", "", ""}, {"3.x", "", ""}, {"", "", ""}, {"3.11", "3.1", ""}, {"3.11", "", "win-64"}, {"3.-1", "", ""}} {
		if goal, err := targetOf(c[0], c[1], c[2]); err == nil {
			t.Errorf("%v gives %+v", c, goal)
		}
	}
	if got := mustTarget(t, "3.11", "2.30").uvPlatform(); got != "x86_64-manylinux_2_28" {
		t.Errorf("platform for glibc 2.30 = %s", got)
	}
}

func TestTreeOfALongArgument(t *testing.T) {
	t.Parallel()
	words := "error: No solution found when resolving dependencies\n" +
		"  cause: Because only the following versions of scipy are available:\n             scipy<=1.7.3\n             scipy>=1.8\n         and scipy<=1.7.3 has no usable wheels, we can conclude that scipy<1.8 cannot be used.\n" +
		"         And because you require scipy<1.8, we can conclude that your requirements are unsatisfiable.\n\n" +
		"hint: You require CPython 3.11 (`cp311`), but we only found wheels for `scipy` (v1.7.3) with the following Python ABI tags: `cp37m`\n"
	want := `only the following versions of scipy are available:
    scipy<=1.7.3
    scipy>=1.8
scipy<=1.7.3 has no usable wheels
└─ so scipy<1.8 cannot be used
you require scipy<1.8
└─ so your requirements are unsatisfiable
You require CPython 3.11 (cp311), but we only found wheels for scipy (v1.7.3) with the following Python ABI tags: cp37m`
	if got := tree(words); got != want {
		t.Errorf("tree:\n%s\nwant:\n%s", got, want)
	}
}

func TestAddressesLoseCredentials(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://u:p@h/x?a=b#sha256=00": "https://h/x?a=b", "http://token@h:80/": "http://h:80/", "file:///x/y.whl": "file:///x/y.whl",
		"ftp://h/x": "", "x": "", "": "", "https://": "", "http://u:p%@h": "",
	} {
		got, err := cleanAddress(address)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", address, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error tells credentials: %v", err)
		}
	}
}

func TestMarkersThatAreSurelyFalse(t *testing.T) {
	t.Parallel()
	goal := mustTarget(t, "3.11", "")
	for marker, want := range map[string]bool{
		"": false, "python_version < '3.9'": true, "python_version >= '3.9'": false, `sys_platform == "win32"`: true, `platform_system != "Windows"`: false,
		"extra == 'test'": true, "python_version >= '3.8' and extra == 'x'": true, "python_version < '3' or sys_platform == 'linux'": false,
		"(platform_machine == 'arm64')": true, "odd in marker": false,
	} {
		if got := excluded(marker, goal); got != want {
			t.Errorf("excluded(%q) = %t", marker, got)
		}
	}
}

func FuzzParsePylock(f *testing.F) {
	f.Add("lock-version = \"1.0\"\n[[packages]]\nname = \"x\"\nversion = \"1\"\nwheels = [{ url = \"http://u:p@h/x-1-py3-none-any.whl\", upload-time = 2026-07-12T03:31:47Z, size = 1, hashes = { sha256 = \"" + strings.Repeat("ab", 32) + "\" } }]\n")
	f.Add("[[packages]]\nname = \"x\"\nversion = \"1\"\nwheels = [{ path = \"../x-1-py3-none-any.whl\", hashes = { sha256 = \"00\" } }]\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parsePylock(text, "/dir")
		if err != nil {
			return
		}
		for _, c := range all {
			for _, w := range c.wheels {
				if err := checkWheel(w); err != nil {
					t.Errorf("%+v was let through: %v", w, err)
				}
				if strings.ContainsAny(w.Filename, "/\\") || strings.Contains(w.URL, "@h") {
					t.Errorf("%+v was let through", w)
				}
			}
		}
		_ = preferences([]lock.Wheel{{Name: text, Version: text}})
	})
}

func FuzzWheelName(f *testing.F) {
	f.Add("numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl")
	f.Add("x-1-1a-py2.py3-none-any.whl")
	goal := mustTarget(f, "3.11", "2.28")
	f.Fuzz(func(t *testing.T, name string) {
		w, err := parseWheelName(name)
		if err != nil {
			return
		}
		if w.name == "" || w.version == "" || len(w.pythons)*len(w.abis)*len(w.platform) == 0 {
			t.Errorf("%q has no parts: %+v", name, w)
		}
		if rank, ok := goal.rank(w); ok && (rank[0] < 0 || rank[1] < 0) {
			t.Errorf("%q has the rank %v", name, rank)
		}
		goal.best([]string{name, name})
	})
}

func FuzzPage(f *testing.F) {
	f.Add(`<a href="../../x-1-py3-none-any.whl#sha256=00" data-yanked="">x</a>`)
	f.Add(`{"files":[{"filename":"x-1-py3-none-any.whl","url":"x","hashes":{"sha256":"00"},"yanked":"why"}]}`)
	base, err := url.Parse("http://127.0.0.1/simple/x/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		versionsOf(parseHTML(text, base))
		if files, err := parseJSON([]byte(text), base); err == nil {
			versionsOf(files)
		}
	})
}

func FuzzWords(f *testing.F) {
	f.Add("error: No solution found when resolving dependencies\n  cause: Because x was not found in the package registry and you require x, we can conclude that your requirements are unsatisfiable.")
	f.Add("error: Failed to fetch: `https://user:hunter2@h/x`")
	f.Fuzz(func(t *testing.T, words string) {
		f := classify(words, "3.11")
		if f.Cause == "" {
			t.Error("no cause")
		}
		tree(words)
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte("Metadata-Version: 2.1\nName: x\nLicense: MIT\nRequires-Dist: y>=1; extra == 'z'\n\nlong"))
	goal := mustTarget(f, "3.11", "2.28")
	f.Fuzz(func(t *testing.T, text []byte) {
		m := parseMetadata(text)
		if len([]rune(m.license())) > 200 {
			t.Errorf("a licence of %d letters", len(m.license()))
		}
		m.requires(map[string]bool{"y": true}, goal)
	})
}

func FuzzRequirement(f *testing.F) {
	f.Add("x[a]>=1,<2 ; python_version < '3'")
	f.Add("x @ http://h/x.whl")
	f.Fuzz(func(t *testing.T, line string) {
		if CheckRequirement(line) == nil && (strings.ContainsAny(line, "\n\r\x00") || strings.HasPrefix(strings.TrimSpace(line), "-")) {
			t.Errorf("%q was let through", line)
		}
	})
}
