package venv

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

// clause is one comparison of a version, in the words of Python's packages: "==1.2.*".
type clause struct {
	op, version string
	prefix      bool // ends in .*
}

func (c clause) String() string {
	if c.prefix {
		return c.op + c.version + ".*"
	}
	return c.op + c.version
}

// matchSpec is a conda dependency (CEP 29) as far as a package index can be asked for it.
type matchSpec struct {
	name    string
	clauses []clause
}

// requirement is the dependency in the words of Python's packages (PEP 508).
func (m matchSpec) requirement() string {
	parts := make([]string, len(m.clauses))
	for i, c := range m.clauses {
		parts[i] = c.String()
	}
	return m.name + strings.Join(parts, ",")
}

// holds reports whether a version satisfies all clauses.
func (m matchSpec) holds(version string) bool {
	return !slices.ContainsFunc(m.clauses, func(c clause) bool { return !c.holds(version) })
}

func (c clause) holds(version string) bool {
	order := lock.CompareVersions(version, c.version)
	within := version == c.version || strings.HasPrefix(version, c.version+".")
	switch c.op {
	case "==":
		return order == 0 || c.prefix && within
	case "!=":
		return order != 0 && (!c.prefix || !within)
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "~=":
		parent, _, found := cutLast(c.version, ".")
		return found && order >= 0 && (version == parent || strings.HasPrefix(version, parent+"."))
	}
	return false
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

var (
	matchForm   = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(.*)$`)
	bracketForm = regexp.MustCompile(`^\[\s*version\s*=\s*(?:"([^"]*)"|'([^']*)'|([^"',\]]*))\s*\]$`)
	clauseForm  = regexp.MustCompile(`^(==|!=|>=|<=|~=|>|<|=)?\s*v?([0-9][0-9A-Za-z.!+_-]*?)(\.?\*)?$`)
	aroundOps   = regexp.MustCompile(`\s*([<>=!~]=?|,)\s*`)
)

// parseMatch reads a conda dependency. What only a channel could answer is an error with the reason.
func parseMatch(text string) (matchSpec, error) {
	if strings.Contains(text, "::") || strings.HasPrefix(strings.TrimSpace(text), "__") {
		return matchSpec{}, fmt.Errorf("it names a channel or a property of the system")
	}
	parts := matchForm.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return matchSpec{}, fmt.Errorf("its name is none of a package there")
	}
	m := matchSpec{name: normalize(parts[1])}
	versions := strings.TrimSpace(parts[2])
	if strings.HasPrefix(versions, "[") {
		inner := bracketForm.FindStringSubmatch(versions)
		if inner == nil {
			return matchSpec{}, fmt.Errorf("it has more in brackets than a version")
		}
		versions = inner[1] + inner[2] + inner[3]
	}
	var err error
	m.clauses, err = parseClauses(versions)
	return m, err
}

func parseClauses(versions string) ([]clause, error) {
	versions = aroundOps.ReplaceAllString(strings.TrimSpace(versions), "$1")
	if rest, any := strings.CutSuffix(versions, " *"); any {
		versions = rest // any build
	}
	switch {
	case strings.ContainsAny(versions, " \t"):
		return nil, fmt.Errorf("it names a build")
	case strings.ContainsAny(versions, "|()^$"):
		return nil, fmt.Errorf("it offers a choice of versions")
	}
	var clauses []clause
	for part := range strings.SplitSeq(versions, ",") {
		if part == "" || part == "*" || part == "=*" || part == "==*" {
			continue
		}
		c := clauseForm.FindStringSubmatch(part)
		switch {
		case c == nil && strings.Count(part, "=") > 1:
			return nil, fmt.Errorf("it names a build")
		case c == nil:
			return nil, fmt.Errorf("%q is no version", part)
		}
		clauses = append(clauses, newClause(c[1], c[2], c[3] != ""))
	}
	return clauses, nil
}

// newClause turns conda's comparisons into those of Python's packages: "=1.2" means any 1.2, and a bare version itself.
func newClause(op, version string, star bool) clause {
	switch op {
	case "":
		op = "=="
	case "=":
		op, star = "==", true
	}
	return clause{op: op, version: version, prefix: star && (op == "==" || op == "!=")}
}

// otherNames are packages that conda channels and the package index call by different names.
var otherNames = map[string]string{
	"matplotlib-base": "matplotlib", "pytorch": "torch", "pytorch-cpu": "torch", "pytables": "tables", "py-opencv": "opencv-python-headless",
	"opencv": "opencv-python-headless", "python-graphviz": "graphviz", "psycopg2": "psycopg2-binary", "msgpack-python": "msgpack",
	"python-duckdb": "duckdb", "dask-core": "dask", "seaborn-base": "seaborn", "py-xgboost": "xgboost",
	"xgboost-cpu": "xgboost", "tensorflow-base": "tensorflow", "python-kaleido": "kaleido",
}

// notFromIndex are dependencies that come with the interpreter, or are not wanted in an environment that is never changed.
var notFromIndex = []string{"python", "python-abi", "pip"}

// wanted is what a spec asks of the package index and of the interpreter.
type wanted struct {
	requirements []string
	python       matchSpec
	pythonAt     spec.Requirement
	renamed      []string // "matplotlib-base is matplotlib there"
}

// translate reads a spec made for conda channels as one for the package index.
func translate(s *spec.Spec) (wanted, error) {
	var w wanted
	w.python.name = "python"
	for _, d := range s.Dependencies {
		m, err := parseMatch(d.Text)
		if err != nil {
			return w, at(d, driver.Failf(driver.SpecInvalid, "“%s” cannot be used: this environment is built from the package index, because no conda channel answers, and %w", d.Text, err))
		}
		switch other, known := otherNames[m.name]; {
		case m.name == "python":
			w.python.clauses = append(w.python.clauses, m.clauses...)
			w.pythonAt = d
			continue
		case slices.Contains(notFromIndex, m.name):
			continue
		case known && other != m.name:
			w.renamed = append(w.renamed, m.name+" is "+other+" there")
			m.name = other
		}
		w.requirements = append(w.requirements, m.requirement())
	}
	return w, w.addPip(s)
}

func (w *wanted) addPip(s *spec.Spec) error {
	for _, p := range s.Pip {
		if err := check(p); err != nil {
			return err
		}
		w.requirements = append(w.requirements, p.Text)
	}
	return nil
}

// at gives a failure the place in the spec that it is about.
func at(r spec.Requirement, f *driver.Failure) *driver.Failure {
	f.Line, f.Column = r.Line, r.Col
	return f
}

// place finds the line of a spec that a failure is about, by the package.
func place(s *spec.Spec, f *driver.Failure) {
	if f.Package == "" || f.Line != 0 {
		return
	}
	for _, r := range slices.Concat(s.Dependencies, s.Pip) {
		name := normalize(r.Name)
		if other, known := otherNames[name]; known {
			name = other
		}
		if name == normalize(f.Package) {
			f.Line, f.Column = r.Line, r.Col
			return
		}
	}
}
