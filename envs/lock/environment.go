package lock

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// environment writes an environment.yml (CEP 24) with every version and build pinned. It names no files, so that who installs
// from it trusts the channel that it says.
func environment(l *Lock, name string) ([]byte, error) {
	var depends []any
	for _, p := range l.Packages {
		depends = append(depends, p.Name+"="+p.Version+"="+p.Build)
	}
	if l.Kind == Venv && l.Python != "" {
		depends = append(depends, "python="+l.Python, "pip")
	}
	if len(l.Wheels) > 0 {
		pins := make([]string, 0, len(l.Wheels))
		for _, w := range l.Wheels {
			pins = append(pins, w.Name+"=="+w.Version)
		}
		depends = append(depends, map[string][]string{"pip": pins})
	}
	file := struct {
		Name         string   `yaml:"name,omitempty"`
		Channels     []string `yaml:"channels,omitempty"`
		Dependencies []any    `yaml:"dependencies"`
	}{name, nil, depends}
	if len(l.Channels) > 0 {
		file.Channels = append(append(file.Channels, l.Channels...), "nodefaults")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# lock %s for %s\n", l.ID(), l.Platform)
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(file), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write environment.yml: %w", err)
	}
	return b.Bytes(), nil
}
