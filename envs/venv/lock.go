package venv

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

// Versions are the Python versions that there is a lock for, the one to prefer first.
var Versions = []string{"3.13", "3.12", "3.11"}

// lock is the exact content of an environment for one Python version.
type lock struct {
	version string
	text    []byte // a requirements file with hashes
	pins    []wheels.Wheel
}

func lockOf(version string) (lock, error) {
	return readLock("py"+strings.ReplaceAll(version, ".", ""), version)
}

// installer is pip itself, so that neither the host's pip nor ensurepip, which Debian packs apart, decides what comes out.
func installer() (lock, error) { return readLock("installer", "") }

func readLock(name, version string) (lock, error) {
	text, err := lockFiles.ReadFile("lock/" + name + ".txt")
	if err != nil {
		return lock{}, fmt.Errorf("lock of Python %s: %w", version, err)
	}
	pins, err := wheels.Parse(bytes.NewReader(text))
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return lock{version: version, text: text, pins: pins}, nil
}

// build names the environment that comes of this lock and of the Python that was asked for.
func (l lock) build(asked string) string {
	sum := sha256.Sum256([]byte(string(l.text) + "\x00" + asked))
	return hex.EncodeToString(sum[:6]) + "-py" + strings.ReplaceAll(l.version, ".", "")
}

func (l lock) bytes() int64 {
	var n int64
	for _, pin := range l.pins {
		n += pin.Size
	}
	return n
}
