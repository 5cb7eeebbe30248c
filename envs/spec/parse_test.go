package spec_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/spec"
)

func parse(t *testing.T, text string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return s
}

func texts(all []spec.Requirement) []string {
	var list []string
	for _, req := range all {
		list = append(list, req.Text)
	}
	return list
}

func TestParseReadsAllPartsOfAFile(t *testing.T) {
	t.Parallel()
	s := parse(t, `# what we need
name: lab
prefix: /somewhere/else
channels:
  - conda-forge
  - https://example.org/channels/ours   # mirror
  - nodefaults
  - defaults  # [win]
platforms: [linux-64, osx-arm64]
dependencies:
  - Python=3.11
  - conda-forge::numpy >=2,<3   # the array
  - "ipykernel[version='>=7']"
  - winlib  # [win]
  - unixlib  # [unix and not osx]
  - note  # [see issue 12]
  - sel(linux): cgroups 1.2.* *_cpython
  - sel(osx): nothing
  - pip
  - pip:
    - Flask_Login[a,B] >= 1.0, <2 ; python_version < "3.12"
    - pandas==2.3.* --hash=sha256:`+strings.Repeat("ab", 32)+`
variables:
  A: b
  NUMBER: "1"
`)
	if s.Name != "lab" || !s.NoDefaults || !s.Kernel {
		t.Errorf("Name = %q, NoDefaults = %v, Kernel = %v", s.Name, s.NoDefaults, s.Kernel)
	}
	if want := []string{"conda-forge", "https://example.org/channels/ours"}; !slices.Equal(s.Channels, want) {
		t.Errorf("Channels = %q, want %q", s.Channels, want)
	}
	want := []string{
		"Python=3.11", "conda-forge::numpy >=2,<3", "ipykernel[version='>=7']", "unixlib", "note", "cgroups 1.2.* *_cpython", "pip",
	}
	if got := texts(s.Dependencies); !slices.Equal(got, want) {
		t.Errorf("Dependencies = %q, want %q", got, want)
	}
	if python, numpy := s.Dependencies[0], s.Dependencies[1]; python.Name != "python" || python.Line != 11 || python.Col != 5 ||
		numpy.Channel != "conda-forge" || numpy.Name != "numpy" {
		t.Errorf("python = %+v, numpy = %+v", python, numpy)
	}
	if got := texts(s.Pip); !slices.Equal(got, []string{`Flask_Login[a,B] >= 1.0, <2 ; python_version < "3.12"`, "pandas==2.3.*"}) {
		t.Errorf("Pip = %q", got)
	}
	if flask, pandas := s.Pip[0], s.Pip[1]; flask.Name != "flask-login" || len(pandas.Hashes) != 1 {
		t.Errorf("flask = %+v, pandas = %+v", flask, pandas)
	}
	if want := map[string]string{"A": "b", "NUMBER": "1"}; !maps.Equal(s.Variables, want) {
		t.Errorf("Variables = %v, want %v", s.Variables, want)
	}
}

func TestParseTakesWhatCondaTakes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"numpy", "numpy=1.2", "numpy==1.2.3", "numpy 1.2.*", "numpy >= 1.2", "numpy >=1.2, <2", "numpy>=1,<2|>3", "numpy (>=1|<0.5),!=3",
		"numpy=1.2=py*_0", "numpy 1.2.* *_cpython", "numpy==1.2=py_0", "numpy~=1.2", "__glibc>=2.17", "_libgcc_mutex=0.1=conda_forge",
		"conda-forge/linux-64::numpy", "conda-forge/label/rc::numpy=1", "'https://example.org/c::numpy 1.2'", "numpy=1,<2", "numpy *",
		`'numpy[version=">=1,<2",build="py*"]'`, "'numpy[build_number=\">=3\", channel=conda-forge]'", "'numpy[extras=[a,b]]'", "numpy!=1.5",
	} {
		if _, err := spec.Parse([]byte("dependencies:\n- " + line + "\n")); err != nil {
			t.Errorf("Parse(- %s) = %v", line, err)
		}
	}
}

func TestParseTakesWhatPipTakes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"requests", "requests==2.32.0", "requests ~= 2.32", "requests (>=2,<3)", "requests[socks, security]>=2", "requests[]",
		"requests==2.32.0.post1+local.1", "requests>=2.0rc1,!=2.1.*", "requests===weird",
		`requests; sys_platform == "linux" and (python_version not in "3.8, 3.9" or extra == 'x')`, "A.B-c_d",
	} {
		if _, err := spec.Parse([]byte("dependencies:\n- pip:\n  - '" + strings.ReplaceAll(line, "'", "''") + "'\n")); err != nil {
			t.Errorf("Parse(pip: %s) = %v", line, err)
		}
	}
}

// Each case is a text and its mistakes, "line:column part of the sentence".
func TestParseTellsThePlaceOfEveryMistake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an empty file":               {"# nothing\n", []string{"1:1 empty"}},
		"a list":                      {"- numpy\n", []string{"1:1 is a list"}},
		"no dependencies":             {"name: x\n", []string{"1:1 no dependencies"}},
		"tabs":                        {"dependencies:\n\t- a\n  - b\n \t- c\n", []string{"2:1 tab", "4:2 tab"}},
		"a second colon":              {"name: a: b\ndependencies: []\n", []string{"1:8 \": \" may not stand here"}},
		"a second colon further down": {"dependencies: []\nvariables:\n  A: 1: b\n", []string{"3:7 \": \" may not stand here"}},
		"an open bracket":             {"name: x\ndependencies: [a, b\nvariables: {}\n", []string{"2:19 add the ]"}},
		"an open quote":               {"name: 'x'\ndependencies:\n  - \"a\n  - b\n", []string{"3:5 closing quote"}},
		"a key without colon":         {"name: x\ndependencies\n  - y\n", []string{"2:1 neither"}},
		"wrong indentation":           {"dependencies:\n  - python\n - numpy\n", []string{"3:2 indented"}},
		"a reserved character":        {"dependencies:\n  - @x\n", []string{"2:5 cannot begin"}},
		"an unknown reference":        {"dependencies:\n  - *x\n", []string{"2:6 unknown anchor"}},
		"a known reference":           {"dependencies:\n  - &x numpy\n  - *x\n", []string{"3:5 references"}},
		"no UTF-8":                    {"name: x\ndependencies: [\xff]\n", []string{"2:16 UTF-8"}},
		"a control character":         {"name: \x01\n", []string{"1:7 U+0001"}},
		"two documents":               {"dependencies: []\n---\nname: x\n", []string{"3:1 second document"}},
		"an unknown key":              {"name: x\nchanels:\n  - a\n", []string{`2:1 did you mean "channels"`}},
		"a doubled key":               {"name: x\nname: y\ndependencies: []\n", []string{"2:1 twice"}},
		"a name that is a list":       {"name: [x]\ndependencies: []\n", []string{"1:7 must be a text"}},
		"other platforms":             {"platforms: [win-64]\ndependencies: []\n", []string{"1:12 linux-64"}},
		"dependencies as a text":      {"dependencies: numpy\n", []string{"1:15 must be a list"}},
		"a dependency as number":      {"dependencies:\n- 1\n", []string{"2:3 a number"}},
		"a dependency as list":        {"dependencies:\n- [a]\n", []string{"2:3 a list"}},
		"an empty dependency":         {"dependencies:\n-\n- a\n", []string{"2:2 empty"}},
		"two entries in one":          {"dependencies:\n  - numpy\n   - scipy\n", []string{"2:11 two entries"}},
		"an unknown section":          {"dependencies:\n- npm:\n  - a\n", []string{`2:3 no section "npm"`}},
		"a version behind a colon":    {"dependencies:\n- numpy: 1.2\n", []string{"2:3 joined by ="}},
		"two sections":                {"dependencies:\n- pip: [a]\n- pip: [b]\n", []string{"3:3 a second section"}},
		"a section with two keys":     {"dependencies:\n- pip: [a]\n  x: y\n", []string{"2:3 one key"}},
		"an unknown selector":         {"dependencies:\n- sel(linus): numpy\n", []string{"2:3 no platform"}},
		"a doubled package":           {"dependencies:\n- numpy\n- NumPy>1\n", []string{"3:3 twice, first in line 2"}},
		"a doubled wheel":             {"dependencies:\n- pip:\n  - a-b\n  - A.b>1\n", []string{"4:5 twice, first in line 3"}},
		"no condition":                {"dependencies:\n- numpy>=\n", []string{"2:8 no condition"}},
		"a comma too many":            {"dependencies:\n- numpy>=1,\n", []string{"2:8 missing"}},
		"conditions that do not fit":  {"dependencies:\n- numpy=>1\n- scipy===1\n", []string{"2:8 no condition", "3:8 no condition"}},
		"a glob as name":              {"dependencies:\n- numpy*\n", []string{"2:8 may not stand behind"}},
		"extras of conda":             {"dependencies:\n- uvicorn[standard]\n", []string{"2:10 extras"}},
		"a wrong bracket":             {"dependencies:\n- \"numpy[foo=1]\"\n", []string{"2:9 no condition"}},
		"an open condition":           {"dependencies:\n- \"numpy[version=1\"\n", []string{"2:9 followed by a ]"}},
		"a file":                      {"dependencies:\n- ./x.conda\n- https://example.org/x.conda\n", []string{"2:3 not taken", "3:3 not taken"}},
		"another subdir":              {"dependencies:\n- 'numpy[subdir=win-64]'\n", []string{"2:9 linux-64"}},
		"a marker of pip":             {"dependencies:\n- numpy; python_version<'3'\n", []string{"2:8 belong below"}},
		"nodefaults alone":            {"channels: [nodefaults]\ndependencies: []\n", []string{"1:11 no channel"}},
		"a password in a channel":     {"channels:\n- https://me:secret@example.org/c\n- https://example.org/t/tk/c\ndependencies: []\n", []string{"2:3 no password", "3:3 no password"}},
		"a folder as channel":         {"channels: [./x]\ndependencies: []\n", []string{"1:12 a channel is a name"}},
		"a number as variable":        {"dependencies: []\nvariables:\n  A: 1\n  B: yes please\n  C: true\n", []string{"3:6 put it in quotes", "5:6 put it in quotes"}},
		"a bad name of a variable":    {"dependencies: []\nvariables:\n  A-B: x\n", []string{"3:3 name of a variable"}},
		"pip as a text":               {"dependencies:\n- pip: requests\n", []string{"2:8 must be a list"}},
		"conda's = below pip":         {"dependencies:\n- pip:\n  - requests=2\n", []string{"3:13 requests==2"}},
		"no version":                  {"dependencies:\n- pip:\n  - requests==x.y\n", []string{"3:13 PEP 440"}},
		"a wrong marker":              {"dependencies:\n- pip:\n  - requests; python_versio<'3'\n", []string{"3:15 did you mean python_version"}},
		"half a marker":               {"dependencies:\n- pip:\n  - requests; python_version\n", []string{"3:29 a comparison"}},
		"several at once": {
			"nam: x\ndependencies:\n- numpy>=\n- pip:\n  - -e .\n", []string{`1:1 did you mean "name"`, "3:8 no condition", "5:5 editable"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := spec.Parse([]byte(c.text))
			wrong, ok := errors.AsType[*spec.Error](err)
			if !ok {
				t.Fatalf("Parse = %+v, %v; want an *Error", s, err)
			}
			checkMistakes(t, wrong, c.want)
		})
	}
}

func checkMistakes(t *testing.T, wrong *spec.Error, want []string) {
	t.Helper()
	if len(wrong.All) != len(want) {
		t.Fatalf("mistakes:\n%v\nwant %d: %q", wrong, len(want), want)
	}
	for i, m := range wrong.All {
		place, part, _ := strings.Cut(want[i], " ")
		if got := fmt.Sprintf("%d:%d", m.Line, m.Col); got != place || !strings.Contains(m.Message, part) {
			t.Errorf("mistake %d is at %s: %s; want %s: …%s…", i, got, m.Message, place, part)
		}
	}
	if wrong.Line != wrong.All[0].Line || wrong.Message != wrong.All[0].Message {
		t.Errorf("the first is %+v, All[0] is %+v", wrong.Mistake, wrong.All[0])
	}
}

func TestParseRefusesWhatIsNoWheelOfTheIndex(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"-e .":                                  "editable",
		"--editable=src":                        "editable",
		"-r other.txt":                          "copy their lines",
		"-c limits.txt":                         "copy their lines",
		"-i https://example.org/simple":         "the site's choice",
		"--index-url=https://example.org":       "the site's choice",
		"--extra-index-url https://example.org": "the site's choice",
		"-f ./wheels":                           "the site's choice",
		"--pre":                                 "options of pip",
		"git+https://example.org/x.git":         "repositories",
		"x @ git+https://example.org/x":         "repositories",
		"x @ https://example.org/x.whl":         "addresses",
		"https://example.org/x.tar.gz":          "addresses",
		"file:///tmp/x.whl":                     "addresses",
		"./x":                                   "files and folders",
		"../x":                                  "files and folders",
		"/x":                                    "files and folders",
		"x-1.0-py3-none-any.whl":                "files and folders",
		"x.tar.gz[extra]":                       "files and folders",
	} {
		_, err := spec.Parse([]byte("dependencies:\n- pip:\n  - \"" + line + "\"\n"))
		if wrong, ok := errors.AsType[*spec.Error](err); !ok || wrong.Line != 3 || wrong.Col != 5 || !strings.Contains(wrong.Message, want) {
			t.Errorf("Parse(pip: %s) = %v, want …%s…", line, err, want)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"giant":        "dependencies:\n" + strings.Repeat("- a\n", spec.MaxBytes/4),
		"deep":         strings.Repeat("[", 100_000),
		"deep mapping": strings.Repeat("{a: ", 30_000),
		"alias bomb":   "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: [*d,*d]\n",
		"deep marker":  "dependencies:\n- pip:\n  - 'a; " + strings.Repeat("(", 50_000) + "'\n",
		"deep dashes":  strings.Repeat("- ", 100_000),
		"open quote":   "dependencies:\n" + strings.Repeat("- 'a'\n", 20_000) + "- 'b\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := spec.Parse([]byte(text)); err == nil {
				t.Error("Parse took it")
			}
		})
	}
}

func TestHashLooksAtWhatIsAskedForOnly(t *testing.T) {
	t.Parallel()
	base := parse(t, "name: a\nchannels: [x, y]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"x\"']}]\nvariables: {A: b}\n")
	same := parse(t, "# else\nname: b\nchannels: [x, y]\ndependencies:\n- NumPy >=1 # c\n- pip:\n  - a_b; os_name == \"x\"\n  - b >=1\n- python=3.11\nvariables: {A: b}\n")
	if base.Hash() != same.Hash() {
		t.Error("a change of comments, order, case and blanks changes the hash")
	}
	for _, other := range []string{
		"channels: [y, x]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"x\"']}]\nvariables: {A: b}\n",
		"channels: [x, y]\ndependencies: [python=3.12, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"x\"']}]\nvariables: {A: b}\n",
		"channels: [x, y]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=2, 'a-b ; os_name == \"x\"']}]\nvariables: {A: b}\n",
		"channels: [x, y]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"y\"']}]\nvariables: {A: b}\n",
		"channels: [x, y]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"x\"']}]\nvariables: {A: c}\n",
		"channels: [x, y, nodefaults]\ndependencies: [python=3.11, 'numpy>=1', {pip: [B>=1, 'a-b ; os_name == \"x\"']}]\nvariables: {A: b}\n",
	} {
		if parse(t, other).Hash() == base.Hash() {
			t.Errorf("%q has the same hash", other)
		}
	}
}

func TestNearFindsMistypedNames(t *testing.T) {
	t.Parallel()
	names := []string{"numpy", "numba", "pandas", "scikit-learn", "scipy", "python"}
	for name, want := range map[string]string{
		"nunpy": "numpy", "numyp": "numpy", "scikit_lern": "scikit-learn", "Pandsa": "pandas", "pyhton": "python", "tensorflow": "", "": "",
	} {
		if got := strings.Join(spec.Near(name, names, 3), " "); got != want {
			t.Errorf("Near(%q) = %q, want %q", name, got, want)
		}
	}
}
