package venv

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/wheels"
)

//go:embed starter
var starterFiles embed.FS

// StarterText is the environment.yml of the first environment of new projects. It can be built from conda channels and from the
// package index.
func StarterText() []byte {
	text, err := starterFiles.ReadFile("starter/environment.yml")
	if err != nil {
		panic(err) // it is part of the program
	}
	return text
}

// Starter gives the first environment of new projects, as a spec and solved, for an interpreter of the host of one of the
// versions that FindBase finds. Its wheels have no address: they are pinned by name and hash, and uv.Tool.Fetch gets them
// through the machine's pip and the user's cache, so that a first start needs no solve, and no network where the cache has
// them.
func Starter(base lock.Base) (specText []byte, l *lock.Lock, err error) {
	minor := minorVersion(base.Version)
	if !slices.Contains(tools.Versions, minor) {
		return nil, nil, driver.Failf(driver.SpecInvalid, "the first environment is made for Python %s; %s is Python %s", strings.Join(tools.Versions, ", "), base.Path, base.Version)
	}
	pins, err := StarterPins(minor)
	if err != nil {
		return nil, nil, err
	}
	l = &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: platform, Python: minor, Base: &base, Solver: "pinned"}
	for _, pin := range pins {
		l.Wheels = append(l.Wheels, lock.Wheel{
			Name: normalize(pin.Name), Version: pin.Version, Filename: pin.Filename, SHA256: pin.SHA256, Size: pin.Size,
		})
	}
	sortWheels(l.Wheels)
	return StarterText(), l, nil
}

// StarterPins are the wheels of the first environment on one of tools.Versions. A host whose cache has them makes it offline.
func StarterPins(python string) ([]wheels.Wheel, error) {
	text, err := starterFiles.ReadFile("starter/py" + strings.ReplaceAll(python, ".", "") + ".txt")
	if err != nil {
		return nil, fmt.Errorf("starter: %w", err)
	}
	pins, err := wheels.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("starter: %w", err)
	}
	return pins, nil
}

// FindBase finds the interpreter of the host for the first environment: the one asked for, a path or a name on PATH, else the
// newest fit one on PATH. Where there is none, the problem says what to install.
func FindBase(ctx context.Context, asked string) (lock.Base, error) {
	python, err := tools.FindPython(ctx, asked)
	if err != nil {
		return lock.Base{}, err
	}
	return lock.Base{Path: python.Path, Version: python.Full}, nil
}
