package tools

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hopyard/hopyard/internal/wheels"
)

//go:embed lock/*.txt
var lockFiles embed.FS

// lock is the exact content of an environment.
type lock struct {
	name    string // of its file: "py311"
	version string // "3.11"; empty where it is good for several
	text    []byte // a requirements file with hashes
	pins    []wheels.Wheel
}

func kernelLock(locks fs.FS, version string) (lock, error) {
	return readLock(locks, "py"+strings.ReplaceAll(version, ".", ""), version)
}

// installer is pip itself, so that neither the host's pip nor ensurepip, which Debian packs apart, decides what comes out.
func installer() (lock, error) { return readLock(lockFiles, "installer", "") }

func readLock(locks fs.FS, name, version string) (lock, error) {
	text, err := fs.ReadFile(locks, "lock/"+name+".txt")
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	pins, err := wheels.Parse(bytes.NewReader(text))
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return lock{name: name, version: version, text: text, pins: pins}, nil
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

func (l lock) title() string {
	if l.version == "" {
		return l.name
	}
	return "Python " + l.version
}

// build names the environment that comes of this lock and of the Python that was asked for.
func (l lock) build(asked string) string {
	sum := sha256.Sum256([]byte(string(l.text) + "\x00" + asked))
	return hex.EncodeToString(sum[:6]) + "-" + l.name
}

func (l lock) bytes() int64 {
	var n int64
	for _, pin := range l.pins {
		n += pin.Size
	}
	return n
}
