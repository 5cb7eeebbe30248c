package tools

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hopyard/hopyard/internal/wheels"
)

//go:embed lock/*.txt
var lockFiles embed.FS

// lock is an exact list of wheels.
type lock struct {
	text []byte // a requirements file with hashes
	pins []wheels.Wheel
}

// toolLock is what the tool environment holds.
func toolLock() (lock, error) { return readLock("tools") }

// installer is pip itself, so that neither the host's pip nor ensurepip, which Debian packs apart, decides what comes out.
func installer() (lock, error) { return readLock("installer") }

func readLock(name string) (lock, error) {
	text, err := lockFiles.ReadFile("lock/" + name + ".txt")
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	pins, err := wheels.Parse(bytes.NewReader(text))
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return lock{text: text, pins: pins}, nil
}

// Pins are all wheels that Build needs: those of the tools and of what installs them. A host whose cache has them builds offline.
func Pins() ([]wheels.Wheel, error) {
	l, err := toolLock()
	if err != nil {
		return nil, err
	}
	pip, err := installer()
	if err != nil {
		return nil, err
	}
	return append(append([]wheels.Wheel{}, l.pins...), pip.pins...), nil
}

// versionOf gives the version of a package of the lock, empty where it has none of that name.
func (l lock) versionOf(name string) string {
	for _, pin := range l.pins {
		if strings.EqualFold(strings.ReplaceAll(pin.Name, "_", "-"), name) {
			return pin.Version
		}
	}
	return ""
}

// id names the environment that comes of this lock.
func (l lock) id() string {
	sum := sha256.Sum256(l.text)
	return hex.EncodeToString(sum[:6])
}
