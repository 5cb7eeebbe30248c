package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// managed is what pip and uv say when somebody asks them to change an environment (PEP 668), and conda (CEP 22).
const managed = "This environment is managed by Hopyard and never changes, so that everybody who uses it has the same.\n" +
	"Add or remove packages on the project's Environment page, or with: hopyard env edit\n" +
	"Programs that are started after that use the new build."

// mark writes what tells tools and people about the prefix, shares the installer's records, and reads the variables that
// activation sets. Everything goes through an os.Root: nothing is known of the prefix's symlinks yet.
func (b *builder) mark() (vars map[string]string, scripts []string, err error) {
	root, err := os.OpenRoot(b.prefix())
	if err != nil {
		return nil, nil, driver.Failf(driver.ToolFailed, "the installer made nothing: %w", err)
	}
	defer root.Close()
	if b.lock.Kind == lock.Conda {
		if err := b.records(root); err != nil {
			return nil, nil, err
		}
	}
	if err := b.verifyWheels(root); err != nil {
		return nil, nil, err
	}
	vars, scripts, err = b.activation(root)
	if err != nil {
		return nil, nil, err
	}
	return vars, scripts, b.markers(root)
}

// markers writes the files that say whose the prefix is.
func (b *builder) markers(root *os.Root) error {
	files := map[string]string{}
	if b.lock.Python != "" {
		files[path.Join("lib", "python"+b.lock.Python, "EXTERNALLY-MANAGED")] = externallyManaged()
	}
	if b.lock.Kind == lock.Conda {
		frozen, _ := json.Marshal(map[string]string{"message": managed})
		files["conda-meta/frozen"] = string(frozen) + "\n"
		files["conda-meta/history"] = history(b.lock, b.order.Requested)
		if len(b.order.Options.Variables) > 0 {
			state, _ := json.Marshal(map[string]any{"env_vars": b.order.Options.Variables})
			files["conda-meta/state"] = string(state) + "\n"
		}
	}
	for name, text := range files {
		if err := replace(root, name, []byte(text)); err != nil {
			if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(name, "lib/") {
				continue // a lock may name a Python that no package brings
			}
			return fmt.Errorf("mark environment: %w", err)
		}
	}
	return nil
}

// replace writes a file anew: one that is there may be a name of a file in a cache.
func replace(root *os.Root, name string, text []byte) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.WriteFile(name, text, 0o644)
}

// externallyManaged is the INI file of PEP 668: lines that go on are indented.
func externallyManaged() string {
	return "[externally-managed]\nError=" + strings.ReplaceAll(managed, "\n", "\n ") + "\n"
}

// history is conda's file of what was asked for. It has no time: equal content makes equal prefixes.
func history(l *lock.Lock, requested []string) string {
	var text strings.Builder
	text.WriteString("==> 1970-01-01 00:00:00 <==\n# cmd: hopyard build\n")
	for _, p := range l.Packages {
		fmt.Fprintf(&text, "+%s/%s::%s-%s-%s\n", strings.TrimRight(channelOf(l, p), "/"), p.Subdir, p.Name, p.Version, p.Build)
	}
	if len(requested) > 0 {
		fmt.Fprintf(&text, "# update specs: %s\n", quoted(slices.Sorted(slices.Values(requested))))
	}
	return text.String()
}

// quoted is a list as conda writes it, in Python's form.
func quoted(names []string) string {
	b, _ := json.Marshal(names)
	return string(b)
}
