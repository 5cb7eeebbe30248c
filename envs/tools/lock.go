package tools

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
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

func (d *Driver) lockOf(version string) (lock, error) {
	return d.readLock("py"+strings.ReplaceAll(version, ".", ""), version)
}

// installer is pip itself, so that neither the host's pip nor ensurepip, which Debian packs apart, decides what comes out.
func (d *Driver) installer() (lock, error) { return d.readLock("installer", "") }

func (d *Driver) readLock(name, version string) (lock, error) {
	locks := d.locks
	if locks == nil {
		locks = lockFiles
	}
	text, err := fs.ReadFile(locks, "lock/"+name+".txt")
	if err != nil {
		return lock{}, fmt.Errorf("lock of Python %s: %w", version, err)
	}
	pins, err := wheels.Parse(bytes.NewReader(text))
	if err != nil {
		return lock{}, fmt.Errorf("lock %s: %w", name, err)
	}
	return lock{version: version, text: text, pins: pins}, nil
}

// names says whether the lock has a package.
func (l lock) names(name string) bool {
	return slices.ContainsFunc(l.pins, func(w wheels.Wheel) bool { return w.Name == name })
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
