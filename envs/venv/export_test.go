package venv

import (
	"context"
	"testing"
)

// BuildName is the folder that d would build into.
func (d *Driver) BuildName(ctx context.Context) (string, error) {
	python, err := FindPython(ctx, d.Python)
	if err != nil {
		return "", err
	}
	l, err := lockOf(python.Version)
	return l.build(d.Python), err
}

// Packages gives the versions that the lock of a Python version names.
func Packages(t *testing.T, version string) map[string]string {
	t.Helper()
	l, err := lockOf(version)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pin := range l.pins {
		got[pin.Name] = pin.Version
	}
	return got
}
