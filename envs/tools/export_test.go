package tools

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// BuildName is the folder that d would build into.
func (d *Driver) BuildName(ctx context.Context) (string, error) {
	python, err := FindPython(ctx, d.Python)
	if err != nil {
		return "", err
	}
	l, err := d.lockOf(python.Version)
	return d.pinned().environment(l).Build, err
}

// Packages gives the versions that the lock of a Python version names.
func Packages(t *testing.T, version string) map[string]string {
	t.Helper()
	l, err := new(Driver).lockOf(version)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pin := range l.pins {
		got[pin.Name] = pin.Version
	}
	return got
}

// Only makes d build environments of one package of the real locks.
func (d *Driver) Only(t *testing.T, name string) {
	t.Helper()
	few := fstest.MapFS{}
	files, err := fs.Glob(lockFiles, "lock/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(lockFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		var kept strings.Builder
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, name+"==") || strings.HasPrefix(line, "pip==") {
				kept.WriteString(line)
			}
		}
		few[file] = &fstest.MapFile{Data: []byte(kept.String())}
	}
	d.locks = few
}
