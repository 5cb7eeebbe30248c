package venv

import (
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/lock"
)

func TestDependenciesOfCondaInWordsOfTheIndex(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"numpy": "numpy", "NumPy": "numpy", "numpy *": "numpy", "numpy=1.26": "numpy==1.26.*", "numpy==1.26.4": "numpy==1.26.4",
		"numpy 1.26": "numpy==1.26", "numpy 1.26.*": "numpy==1.26.*", "numpy=1.26.*": "numpy==1.26.*", "numpy 1.26*": "numpy==1.26.*",
		"numpy >=1.20,<2": "numpy>=1.20,<2", "numpy >= 1.20, < 2": "numpy>=1.20,<2", "numpy>=1.20": "numpy>=1.20", "numpy !=1.5.*": "numpy!=1.5.*",
		"numpy ~=1.5": "numpy~=1.5", "numpy>=1.20.*": "numpy>=1.20", "numpy[version='>=1,<2']": "numpy>=1,<2", `numpy[version="1.*"]`: "numpy==1.*",
		"ruamel.yaml": "ruamel-yaml", "numpy >=1 *": "numpy>=1", "x_y-z=1": "x-y-z==1.*", "numpy 2024a": "numpy==2024a",
	} {
		m, err := parseMatch(text)
		if err != nil || m.requirement() != want {
			t.Errorf("%q: %q, %v; want %q", text, m.requirement(), err, want)
		}
	}
}

func TestDependenciesThatOnlyAChannelCouldAnswer(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"conda-forge::numpy": "channel", "numpy 1.26 py311_0": "build", "numpy=1.26=py311_0": "build", "numpy[build=py3*]": "brackets",
		"numpy[version='>=1',build=x]": "brackets", "numpy 1.26|1.27": "choice", "numpy ^1.*$": "choice", "__glibc >=2.17": "channel or a property",
		"_libgcc_mutex": "name", "numpy abc": "no version", "": "name", "numpy >=": "no version",
	} {
		m, err := parseMatch(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v; want words of %q", text, m.requirement(), err, says)
		}
	}
}

func TestVersionsOfPythonAreMatched(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]string{
		"python": "3.9.18 3.11.7 3.12.1 3.13.0", "python 3.11.*": "3.11.7", "python=3.11": "3.11.7", "python >=3.11": "3.11.7 3.12.1 3.13.0",
		"python >=3.11,<3.13": "3.11.7 3.12.1", "python 3.11.7": "3.11.7", "python 3.11": "", "python <3.10": "3.9.18", "python !=3.12.*": "3.9.18 3.11.7 3.13.0",
		"python ~=3.11": "3.11.7 3.12.1 3.13.0", "python ~=3.11.2": "3.11.7", "python 3.1.*": "", "python >3.12.1": "3.13.0", "python 3.*": "3.9.18 3.11.7 3.12.1 3.13.0",
		"python<=3.11.7": "3.9.18 3.11.7", "python 2.7.*": "",
	} {
		m, err := parseMatch(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range []string{"3.9.18", "3.11.7", "3.12.1", "3.13.0"} {
			if m.holds(v) {
				got = append(got, v)
			}
		}
		if strings.Join(got, " ") != fits {
			t.Errorf("%q fits %v, want %s", text, got, fits)
		}
	}
}

func FuzzParseMatch(f *testing.F) {
	for _, text := range []string{"numpy >=1.20,<2", "numpy[version='>=1']", "a::b", "python=3.11=x", "x 1.*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parseMatch(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(m.requirement(), " \n@/;#[") || strings.HasPrefix(m.requirement(), "-") {
			t.Errorf("%q became %q", text, m.requirement())
		}
		m.holds("3.11.7")
	})
}

func TestStarterFitsItsText(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3.11.7", "3.12.1", "3.13.0"} {
		_, l, err := Starter(lock.Base{Path: "/usr/bin/python3", Version: version})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Wheels) < 40 || l.Python != minorVersion(version) || l.Kind != lock.Venv {
			t.Errorf("%s: %d wheels for %s", version, len(l.Wheels), l.Python)
		}
		if err := l.Check(); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	if _, _, err := Starter(lock.Base{Version: "3.8.1"}); err == nil || !strings.Contains(err.Error(), "3.8.1") {
		t.Errorf("Python 3.8: %v", err)
	}
}
