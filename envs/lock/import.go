package lock

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// maxImport is how long a text Import takes, in bytes.
const maxImport = 32 << 20

const noarch = "noarch"

// ImportError is what is wrong with a line of a text that was sent for a lock.
type ImportError struct {
	Line    int // from 1
	Message string
}

// Error is a sentence with the line.
func (e *ImportError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

func complain(line int, message string) error { return &ImportError{Line: line, Message: message} }

// Import reads a lock in a form that names every artifact with its address and SHA-256: an @EXPLICIT list, conda-lock v1,
// requirements of the form "name @ address" with hashes, and our own JSON. What comes out is checked and Bare: who sent the text is
// believed what is to be installed, and nothing of what that is. Errors are sentences for the person who sent it, *ImportError where
// they are about a line. They quote no credential.
func Import(text []byte) (*Lock, error) {
	if len(text) > maxImport {
		return nil, fmt.Errorf("this is too long for a lock: at most %d MiB are taken", maxImport>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	l, err := read(text)
	if err != nil {
		return nil, err
	}
	l.complete()
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("this lock cannot be used: %w", err)
	}
	l = l.Bare()
	if len(l.Packages)+len(l.Wheels) == 0 {
		return nil, errors.New("this lock has no packages")
	}
	return l.canonical(), nil
}

// read finds out what a text is and reads it.
func read(text []byte) (*Lock, error) {
	first, keys := outline(string(text))
	switch {
	case strings.HasPrefix(first, "{"):
		return Decode(text)
	case first == explicitMark || strings.Contains("\n"+string(text), "\n"+explicitMark):
		return importExplicit(string(text))
	case keys["package"] && keys["metadata"]:
		return importCondaLock(text)
	case keys["environments"] && keys["packages"]:
		return nil, errors.New("this is pixi's lock file, which is not taken; export an @EXPLICIT list or a conda-lock file with pixi")
	case keys["dependencies"]:
		return nil, errors.New("this is an environment.yml and no lock: create the environment from it")
	}
	return importRequirements(string(text))
}

// outline is the first line that says something, and the keys of a YAML file's top.
func outline(text string) (first string, keys map[string]bool) {
	keys = map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n\t ")
		if line == "" || line[0] == '#' || line == "---" {
			continue
		}
		if first == "" {
			first = strings.TrimSpace(line)
		}
		if key, _, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(key, " \t=@") {
			keys[key] = true
		}
	}
	return first, keys
}

// complete fills in what follows from the rest.
func (l *Lock) complete() {
	l.Version = FormatVersion
	for _, p := range l.Packages {
		if p.Subdir != noarch && l.Platform == "" {
			l.Platform = p.Subdir
		}
	}
	if l.Platform == "" {
		l.Platform = hostPlatform()
	}
}

// Bare is a lock with nothing but what anybody may say of it: what its artifacts are called, where they are and which hashes they
// have, for which platform and Python. Licences, times, sizes and dependencies, which rules go by, are for the sources of the
// artifacts to tell, and the interpreter for the host.
func (l *Lock) Bare() *Lock {
	b := &Lock{Version: FormatVersion, Kind: l.Kind, Platform: l.Platform, Python: l.Python, claimed: l.Claimed()}
	if l.Kind == Conda {
		b.Python = ""
	}
	here := map[string]bool{}
	for _, p := range l.Packages {
		if p.Name == "python" {
			b.Python = minorOf(p.Version)
		}
		here[channelOf(p.URL)] = true
		b.Packages = append(b.Packages, Package{
			Name: p.Name, Version: p.Version, Build: p.Build, Subdir: p.Subdir, URL: p.URL, SHA256: p.SHA256, Noarch: noarchOf(p),
		})
	}
	for _, channel := range slices.Concat(l.Channels, slices.Sorted(maps.Keys(here))) {
		if at := strings.TrimRight(channel, "/"); here[at] {
			b.Channels = append(b.Channels, channel)
			delete(here, at)
		}
	}
	for _, w := range l.Wheels {
		b.Wheels = append(b.Wheels, Wheel{Name: w.Name, Version: w.Version, Filename: w.Filename, URL: w.URL, SHA256: w.SHA256})
	}
	return b.canonical()
}

// Claimed is the ID that a bare lock had before; of others their own. It says only which lock the sender means: whoever has one of that ID
// takes that, where both are the same Bare.
func (l *Lock) Claimed() string {
	if l.claimed != "" {
		return l.claimed
	}
	return l.ID()
}

// noarchOf is what the file's name says of the kind.
func noarchOf(p Package) string {
	switch {
	case p.Subdir != noarch:
		return ""
	case strings.HasPrefix(p.Build, "py"):
		return "python"
	}
	return "generic"
}

// minorOf is "3.11" of "3.11.7".
func minorOf(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// hostPlatform is conda's word for what this program runs on.
func hostPlatform() string {
	system := map[string]string{"linux": "linux", "darwin": "osx", "windows": "win"}[runtime.GOOS]
	machine := map[string]string{"amd64": "64", "arm64": "aarch64"}[runtime.GOARCH]
	if runtime.GOOS != "linux" && runtime.GOARCH == "arm64" {
		machine = "arm64"
	}
	return system + "-" + machine
}

func condaLockSpecs(depends map[string]string) []string {
	var specs []string
	for _, name := range sortedNames(depends) {
		specs = append(specs, strings.TrimSpace(name+" "+depends[name]))
	}
	return specs
}

func sortedNames(depends map[string]string) []string { return slices.Sorted(maps.Keys(depends)) }
