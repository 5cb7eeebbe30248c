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

	"github.com/hopyard/hopyard/envs/lock"
)

// managed is what pip and uv say when somebody asks them to change an environment (PEP 668), and conda (CEP 22).
const managed = "This environment is managed by Hopyard and never changes, so that everybody who uses it has the same.\n" +
	"Add or remove packages on the project's Environment page, or with: hopyard env edit\n" +
	"Programs that are started after that use the new build."

// look checks what needs no more than a look, says whose the environment is, and reads what activation sets without running
// anything.
func (b *builder) look(root *os.Root) (vars map[string]string, scripts []string, err error) {
	if err := b.verifyWheels(root); err != nil {
		return nil, nil, err
	}
	if b.lock.Python != "" && b.lock.Kind == lock.Conda { // in others, pip and uv look at the interpreter below
		name := path.Join("lib", "python"+b.lock.Python, "EXTERNALLY-MANAGED")
		if err := replace(root, name, []byte(externallyManaged())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("mark environment: %w", err)
		}
	}
	return b.activation(root)
}

// metadata is where conda and its like keep what they know of an environment.
const metadata = "conda-meta"

// mark checks and shares the installer's records, and writes beside them what tools like conda want to know.
func (b *builder) mark(root *os.Root) error {
	if b.lock.Kind != lock.Conda {
		return nil
	}
	if err := b.records(root); err != nil {
		return err
	}
	frozen, _ := json.Marshal(map[string]string{"message": managed})
	files := map[string]string{"frozen": string(frozen) + "\n", "history": history(b.lock, b.order.Requested)}
	if len(b.order.Options.Variables) > 0 {
		state, _ := json.Marshal(map[string]any{"env_vars": b.order.Options.Variables})
		files["state"] = string(state) + "\n"
	}
	for name, text := range files {
		if err := replace(root, path.Join(metadata, name), []byte(text)); err != nil {
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
