package build

import (
	"bufio"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// kernel says why no kernel could start on an environment that has ipykernel, as far as files tell: what it is started by, and all
// that it needs, must be there. It is not imported: that would run what packages bring, as us. What else may be wrong, the first
// start of a kernel shows.
func (b *builder) kernel(root *os.Root) error {
	if len(closure(b.lock, "ipykernel")) == 0 {
		return nil
	}
	infos, err := b.distInfos(root)
	if err != nil {
		return err
	}
	if _, ok := infos["ipykernel"]; !ok {
		return driver.Failf(driver.SmokeFailed, "no kernel could start on this environment: ipykernel left no metadata")
	}
	for _, file := range []string{"ipykernel_launcher.py", "ipykernel/kernelapp.py"} {
		if info, err := root.Stat(path.Join(b.sitePackages(), file)); err != nil || !info.Mode().IsRegular() {
			return driver.Failf(driver.SmokeFailed, "no kernel could start on this environment: ipykernel has no %s", file)
		}
	}
	if len(kernelspecs(b.prefix())) == 0 {
		return driver.Failf(driver.SmokeFailed, "no kernel could start on this environment: no package brings a kernelspec that can be read")
	}
	if needs, missing := b.lacks(root, infos, "ipykernel"); missing != "" {
		f := driver.Failf(driver.SmokeFailed, "no kernel could start on this environment: %s needs %s, which is not there; add it, or solve anew", needs, missing)
		f.Package = missing
		return f
	}
	return nil
}

// lacks finds a distribution that is needed, by others or by the one of that name itself, and is neither installed nor in the lock. It
// follows what is needed under all conditions.
func (b *builder) lacks(root *os.Root, infos map[string]distInfo, name string) (needs, missing string) {
	locked := map[string]bool{}
	for _, p := range b.lock.Packages {
		locked[lock.NormalName(p.Name)] = true // some have no metadata of a distribution, or one of another name
	}
	todo, seen := []string{name}, map[string]bool{name: true}
	for ; len(todo) > 0; todo = todo[1:] {
		for _, next := range requirements(root, infos[todo[0]]) {
			if _, ok := infos[next]; !ok && !locked[next] {
				return todo[0], next
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return "", ""
}

const maxMetadata = 4 << 20 // bytes

// requirements are the names that the metadata of a distribution requires without a condition.
func requirements(root *os.Root, of distInfo) []string {
	if of.dir == "" {
		return nil
	}
	f, err := root.Open(path.Join(of.dir, "METADATA"))
	if err != nil {
		return nil
	}
	defer f.Close()
	return readRequirements(io.LimitReader(f, maxMetadata))
}

// required takes the name out of a requirement (PEP 508).
var required = regexp.MustCompile(`^(?i:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)`)

func readRequirements(r io.Reader) []string {
	var names []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMetadata)
	for lines.Scan() && lines.Text() != "" { // the description follows
		text, ok := strings.CutPrefix(lines.Text(), "Requires-Dist:")
		name := required.FindString(strings.TrimSpace(text))
		if ok && name != "" && !strings.Contains(text, ";") {
			names = append(names, lock.NormalName(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
