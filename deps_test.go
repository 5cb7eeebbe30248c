// Package hopyard_test holds the rules of the house as tests: which folder may import what, and what may not stand in a
// committed file. A broken rule fails with the sentence that explains it.
package hopyard_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/hopyard/hopyard"

// Arrows point one way: contracts ← projects ← workloads ← domain ← gateway ← cmd. Each folder of ours and the folders of ours
// that it may import besides itself.
var layers = map[string]struct {
	may []string
	why string
}{
	"plugins":   {nil, "contracts know nobody: whoever writes a plugin gets the standard library alone"},
	"internal":  {[]string{"plugins", "agent"}, "implementations know the contracts and the agent that they start, never what uses them"},
	"agent":     {[]string{"plugins", "internal"}, "the agent outlives the gateway and must stay small: it knows its journal and the contracts only"},
	"projects":  {[]string{"plugins", "internal"}, "people and roles come before all that runs"},
	"workloads": {[]string{"plugins", "internal", "agent", "projects"}, "what all programs have in common cannot know their kinds"},
	"kernels":   {domain, "domain folders never import each other or the gateway: cmd fills a small interface"},
	"envs":      {domain, "domain folders never import each other or the gateway: cmd fills a small interface"},
	"ui":        {[]string{"internal"}, "pages come to the domain through HTTP alone"},
	"gateway":   {append([]string{"workloads", "kernels", "envs", "ui"}, domain...), "the edge knows the domain, and only cmd knows the edge"},
	"cmd":       {anything, "the wiring may know everything"},
	"e2e":       {anything, "tests from outside may use everything"},
	"bench":     {anything, "measurements may use everything"},
}

var (
	domain   = []string{"plugins", "internal", "agent", "projects", "workloads"}
	anything = []string{"plugins", "internal", "agent", "projects", "workloads", "kernels", "envs", "ui", "gateway"}
)

// What only some folders may import: modules of others, and our own implementations.
var reserved = []struct {
	imports string
	only    []string
	why     string
}{
	{"github.com/labstack/echo", []string{"gateway"}, "HTTP is the gateway's business; the domain must work without it"},
	{"github.com/gorilla/websocket", []string{"gateway"}, "websockets are the gateway's business"},
	{"github.com/go-zeromq/zmq4", []string{"kernels/zmq"}, "this module can end a process; it is guarded in one place"},
	{"modernc.org/sqlite", []string{"internal/sqlite"}, "databases are behind the contracts"},
	{"github.com/BurntSushi/toml", []string{"envs/uv"}, "TOML is uv's business; everybody else gets locks"},
	{"github.com/spf13", []string{"cmd"}, "the command line belongs to the binary"},
	{"go.yaml.in/yaml", []string{"cmd", "envs/spec", "envs/policy", "envs/lock"}, "the configuration belongs to the binary; environments are written in YAML, too"},
	{module + "/internal/sqlite", []string{"cmd"}, "the domain uses contracts; cmd chooses their backends"},
	{module + "/internal/memory", []string{"cmd"}, "the domain uses contracts; cmd chooses their backends"},
	{module + "/internal/local", []string{"cmd"}, "the domain uses contracts; cmd chooses their backends"},
}

// free are the folders from which everything may be imported.
var free = []string{"e2e", "bench"}

type goPackage struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	GoFiles    []string
}

// folder is the package's path below the module.
func (p goPackage) folder() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

var packages = sync.OnceValues(func() ([]goPackage, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", "./...").Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
})

func listed(t *testing.T) []goPackage {
	t.Helper()
	all, err := packages()
	if err != nil || len(all) == 0 {
		t.Fatalf("go list found %d packages: %v", len(all), err)
	}
	return all
}

func TestArrowsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		top, _, _ := strings.Cut(p.folder(), "/")
		layer, known := layers[top]
		if !known {
			t.Errorf("%s: the house has no folder %q; give it a line in deps_test.go with its reason", p.ImportPath, top)
			continue
		}
		for _, imported := range p.Imports {
			path, ours := strings.CutPrefix(imported, module+"/")
			to, _, _ := strings.Cut(path, "/")
			if ours && to != top && !slices.Contains(layer.may, to) {
				t.Errorf("%s imports %s: %s", p.folder(), path, layer.why)
			}
		}
	}
}

func TestReservedImportsStayInTheirFolders(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		for _, rule := range reserved {
			if within(p.folder(), rule.only) || within(p.folder(), free) || within(p.ImportPath, []string{rule.imports}) {
				continue
			}
			for _, imported := range p.Imports {
				if within(imported, []string{rule.imports}) {
					t.Errorf("%s imports %s, which only %s may: %s", p.folder(), imported, strings.Join(rule.only, " and "), rule.why)
				}
			}
		}
	}
}

func TestContractsImportTheStandardLibraryAlone(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		if !within(p.folder(), []string{"plugins"}) {
			continue
		}
		for _, imported := range p.Imports {
			if host, _, _ := strings.Cut(imported, "/"); strings.Contains(host, ".") && !within(imported, []string{module + "/plugins"}) {
				t.Errorf("%s imports %s: contracts import only the standard library", p.folder(), imported)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package comment does not begin with %q: %q", p.ImportPath, want, p.Doc)
		}
	}
}

// within says whether path is one of the folders or below one. A module's versions count as below it.
func within(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}
