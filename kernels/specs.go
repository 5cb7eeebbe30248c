package kernels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels/bridge"
)

// Spec is a kernelspec: how to start a kernel of one kind (jupyter-client, docs/kernels.rst, kernel.json).
type Spec struct {
	Argv          []string          `json:"argv"`
	Env           map[string]string `json:"env"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Metadata      json.RawMessage   `json:"metadata"`
}

// NamedSpec is a kernelspec with the name by which it is asked for and the files that belong to it.
type NamedSpec struct {
	Name string
	Spec Spec
	// Resources are the names of its files: logo-64x64.png, kernel.js …
	Resources []string
	dir       string
	env       Environment
}

// DefaultSpec is the kernelspec that a request without a name means.
const DefaultSpec = "python3"

// Specs lists the kernelspecs that a project can start, by name: those in its environment, then those of the site.
func (m *Manager) Specs(ctx context.Context, project string) (map[string]NamedSpec, error) {
	all, err := m.cfg.Env.ResolveAll(ctx, project)
	if err != nil && len(m.cfg.SpecDirs) == 0 {
		return nil, err
	}
	var standard Environment // the kernelspecs of the site run on it
	if len(all) > 0 {
		standard = all[0]
	}
	out := map[string]NamedSpec{}
	for _, dir := range m.cfg.SpecDirs {
		specs, err := readSpecs(dir, standard)
		if err != nil {
			return nil, err
		}
		for _, s := range specs {
			out[s.Name] = s
		}
	}
	named, err := nameSpecs(all)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, named)
	return out, nil
}

// nameSpecs gives every kernelspec of the environments, of which the first is the default one, a name of its own. Who comes first
// depends on nothing but what there is: the default environment's keep their names, then come Pythons, then other kernels. What
// finds its name taken takes another only when all have had their first choice.
func nameSpecs(all []Environment) (map[string]NamedSpec, error) {
	var waiting []NamedSpec
	choices := map[string][]string{} // by folder
	rank := map[string]int{}
	for i, env := range all {
		specs, err := readSpecs(filepath.Join(env.Prefix, "share", "jupyter", "kernels"), env)
		if err != nil {
			return nil, err
		}
		for _, s := range specs {
			switch {
			case i == 0:
				choices[s.dir] = []string{s.Name, env.Name + "--" + s.Name}
			case isPython(&s):
				choices[s.dir], rank[s.dir] = []string{env.Name, env.Name + "-env"}, 1
			default: // names of environments have no two dashes, so that the second choice is nobody's first
				choices[s.dir], rank[s.dir] = []string{env.Name + "-" + s.Name, env.Name + "--" + s.Name}, 2
			}
			env.title(&s)
			waiting = append(waiting, s)
		}
	}
	slices.SortStableFunc(waiting, func(a, b NamedSpec) int { return rank[a.dir] - rank[b.dir] })
	out := map[string]NamedSpec{}
	for round := 0; len(waiting) > 0; round++ {
		var later []NamedSpec
		for _, s := range waiting {
			if s.Name = choice(choices[s.dir], round); out[s.Name].Name != "" {
				later = append(later, s)
			} else {
				out[s.Name] = s
			}
		}
		waiting = later
	}
	return out, nil
}

// choice is the name that a kernelspec wants in that round; after its choices come numbers.
func choice(choices []string, round int) string {
	if round < len(choices) {
		return choices[round]
	}
	return fmt.Sprintf("%s-%d", choices[len(choices)-1], round)
}

// title says in what people and programs read of a kernelspec where it runs.
func (e Environment) title(s *NamedSpec) {
	s.Spec.Metadata = e.mark(s.Spec.Metadata)
	if e.Name == "" {
		return
	}
	title := s.Spec.DisplayName
	if major, minor, ok := e.minor(); ok && isPython(s) {
		title = "Python " + major + "." + minor
	}
	s.Spec.DisplayName = title + " (" + e.Name + ")"
}

func (e Environment) minor() (major, minor string, ok bool) {
	parts := strings.Split(e.Version, ".")
	if len(parts) < 2 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// isPython says whether it is the one that ipykernel installs.
func isPython(s *NamedSpec) bool { return s.Spec.Language == "python" && s.Name == DefaultSpec }

// specName is what jupyter_client takes for the name of a kernelspec.
var specName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// readSpecs reads the kernelspecs of a folder, in the order of their names.
func readSpecs(dir string, env Environment) ([]NamedSpec, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kernelspecs: %w", err)
	}
	var specs []NamedSpec
	for _, e := range entries {
		if !specName.MatchString(e.Name()) {
			continue
		}
		s, err := readSpec(filepath.Join(dir, e.Name()), env)
		if err != nil {
			continue // jupyter too leaves out what is no kernelspec
		}
		specs = append(specs, s)
	}
	return specs, nil
}

func readSpec(dir string, env Environment) (NamedSpec, error) {
	s := NamedSpec{Name: strings.ToLower(filepath.Base(dir)), dir: dir, env: env}
	b, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s.Spec); err != nil {
		return s, err
	}
	if len(s.Spec.Argv) == 0 {
		return s, errors.New("no argv")
	}
	if s.Spec.InterruptMode == "" {
		s.Spec.InterruptMode = "signal"
	}
	if len(s.Spec.Metadata) == 0 {
		s.Spec.Metadata = json.RawMessage("{}")
	}
	if s.Spec.Env == nil {
		s.Spec.Env = map[string]string{}
	}
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "logo-") || f.Name() == "kernel.js" || f.Name() == "kernel.css" {
			s.Resources = append(s.Resources, f.Name())
		}
	}
	return s, err
}

// Resource opens a file that belongs to a kernelspec. The caller closes it.
func (m *Manager) Resource(ctx context.Context, project, name, file string) (*os.File, error) {
	s, err := m.spec(ctx, project, name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Resources, file) {
		return nil, problem.New(problem.NotFound, "Kernel resource not found: %s", file)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("kernelspec %s: %w", name, err)
	}
	defer root.Close()
	f, err := root.Open(file)
	if err != nil {
		return nil, problem.New(problem.NotFound, "Kernel resource not found: %s: %w", file, err)
	}
	return f, nil
}

// spec finds one kernelspec; "" means the default.
func (m *Manager) spec(ctx context.Context, project, name string) (NamedSpec, error) {
	if name == "" {
		name = DefaultSpec
	}
	all, err := m.Specs(ctx, project)
	if err != nil {
		return NamedSpec{}, err
	}
	s, ok := all[name]
	if !ok {
		return NamedSpec{}, &UnknownSpecError{Name: name}
	}
	return s, nil
}

// UnknownSpecError means that there is no kernelspec of that name. Jupyter answers it with different statuses in different
// places, so it is a type of its own.
type UnknownSpecError struct{ Name string }

// Error is Jupyter's sentence.
func (e *UnknownSpecError) Error() string { return "No such kernel named " + e.Name }

// argv is the kernel's command line. ipykernel starts through our launcher, which keeps it from dropping output.
func (s NamedSpec) argv() []string {
	var out []string
	for i := 0; i < len(s.Spec.Argv); i++ {
		a := strings.NewReplacer("{resource_dir}", s.dir, "{prefix}", s.env.Prefix).Replace(s.Spec.Argv[i])
		if a == "-m" && i+1 < len(s.Spec.Argv) && s.Spec.Argv[i+1] == "ipykernel_launcher" {
			a = bridge.Launcher
			i++
		}
		out = append(out, a)
	}
	switch filepath.Base(out[0]) {
	case "python", "python3":
		if s.env.Python != "" && !filepath.IsAbs(out[0]) {
			out[0] = s.env.Python
		}
	}
	return out
}
