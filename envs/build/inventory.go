package build

import (
	"cmp"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// Inventory lists what a lock installs, sorted by name. Requested are the names that the spec asks for.
func Inventory(l *lock.Lock, requested []string) []store.Item {
	asked := map[string]bool{}
	for _, name := range requested {
		asked[lock.NormalName(name)] = true
	}
	items := make([]store.Item, 0, len(l.Packages)+len(l.Wheels))
	for _, p := range l.Packages {
		items = append(items, store.Item{
			Name: p.Name, Version: p.Version, Build: p.Build, From: "conda", Channel: channelOf(l, p), License: p.License,
			URL: p.URL, SHA256: p.SHA256, Size: p.Size, Requires: requiresOf(p), Requested: asked[lock.NormalName(p.Name)],
		})
	}
	for _, w := range l.Wheels {
		items = append(items, store.Item{
			Name: w.Name, Version: w.Version, From: "pip", License: w.License, URL: w.URL, SHA256: w.SHA256, Size: w.Size,
			Requires: w.Requires, Requested: asked[lock.NormalName(w.Name)],
		})
	}
	slices.SortFunc(items, func(a, b store.Item) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From)) })
	return items
}

// channelOf is the channel that a package came from: the one of the lock whose address its address begins with, else what is before
// the subdir.
func channelOf(l *lock.Lock, p lock.Package) string {
	for _, c := range l.Channels {
		if strings.HasPrefix(p.URL, strings.TrimRight(c, "/")+"/") {
			return c
		}
	}
	if at := strings.LastIndex(p.URL, "/"+p.Subdir+"/"); at > 0 {
		return p.URL[:at]
	}
	return ""
}

// kernelspecs are those in share/jupyter/kernels. One that cannot be read is none.
func kernelspecs(prefix string) []store.Kernelspec {
	root, err := os.OpenRoot(prefix)
	if err != nil {
		return nil
	}
	defer root.Close()
	const folder = "share/jupyter/kernels"
	dir, err := root.Open(folder)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	slices.Sort(names)
	var specs []store.Kernelspec
	for _, name := range names {
		text, err := root.ReadFile(path.Join(folder, name, "kernel.json"))
		var spec struct {
			Argv        []string `json:"argv"`
			DisplayName string   `json:"display_name"`
			Language    string   `json:"language"`
		}
		if err != nil || json.Unmarshal(text, &spec) != nil || len(spec.Argv) == 0 {
			continue
		}
		specs = append(specs, store.Kernelspec{Name: name, DisplayName: cmp.Or(spec.DisplayName, name), Language: spec.Language})
	}
	return specs
}

// interpreter is the Python that compiles, empty where there is none, or where it is one of elsewhere though it should not. Wheels
// are compiled by the host's own, because one of them may have put another program, or another pyvenv.cfg, into the prefix.
func (b *builder) interpreter(root *os.Root) string {
	if b.lock.Kind == lock.Venv && b.lock.Base != nil {
		return b.lock.Base.Path
	}
	info, err := root.Stat("bin/python")
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return filepath.Join(b.prefix(), "bin", "python")
}

// misled refuses a conda environment in which a package has put a file that makes Python load another standard library. No package
// has need of one.
func (b *builder) misled(root *os.Root) error {
	if b.lock.Kind != lock.Conda {
		return nil
	}
	for _, file := range []string{"pyvenv.cfg", "bin/pyvenv.cfg", "lib/python" + strings.ReplaceAll(b.lock.Python, ".", "") + ".zip"} {
		if _, err := root.Lstat(file); err == nil {
			return broken("", "a package brings %s, which decides what Python runs", file)
		}
	}
	return nil
}

// pythonPath is the Python of a prefix that has been checked.
func pythonPath(prefix string) string {
	python := filepath.Join(prefix, "bin", "python")
	if info, err := os.Stat(python); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return python
}

// pythonVersion is the version of the interpreter: what the lock has, but for an interpreter of the host, which may have been renewed
// since.
func pythonVersion(prefix string, l *lock.Lock) string {
	if l.Base != nil {
		return cmp.Or(venvVersion(prefix), l.Base.Version)
	}
	for _, p := range l.Packages {
		if p.Name == "python" {
			return p.Version
		}
	}
	return ""
}

// venvVersion is what a virtual environment says that it was made on (PEP 405).
func venvVersion(prefix string) string {
	text, _ := os.ReadFile(filepath.Join(prefix, "pyvenv.cfg"))
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); key == "version_info" || key == "version" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
