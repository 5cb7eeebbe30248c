package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

//go:embed science.txt
var scienceWheels []byte

// science is an environment of usual size.
var science = []string{"python=3.11", "ipykernel", "numpy", "pandas", "scipy", "matplotlib", "scikit-learn", "pip"}

// scienceChannel makes a channel of what the one of the tests does not have for it, from pinned wheels, once for each list of them.
func (s *site) scienceChannel(ctx context.Context) (string, error) {
	sum := sha256.Sum256(scienceWheels)
	dir := filepath.Join(s.b.cache, "science-"+hex.EncodeToString(sum[:6]))
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	progress("  making a channel of scipy, matplotlib, scikit-learn and others")
	var pins []string
	for line := range strings.Lines(string(scienceWheels)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			pins = append(pins, line)
		}
	}
	err := os.RemoveAll(dir)
	if err == nil {
		err = output(ctx, append([]string{s.folders.Python, s.peer.script, "wheels", dir, "internal/testchannel/channel"}, pins...)...)
	}
	return dir, errors.Join(err, writeIf(err == nil, done))
}
