package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hopyard/hopyard/internal/testkernel"
)

//go:embed peer.txt
var peerPackages []byte

// installPeer makes the virtual environment of the peers, once for each list of packages, and returns its interpreter. The
// packages are compiled, or every start of a kernel would pay for it.
func installPeer(ctx context.Context, cache string) (string, error) {
	sum := sha256.Sum256(peerPackages)
	dir := filepath.Join(cache, "peer-"+hex.EncodeToString(sum[:6]))
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	progress("installing jupyter_server into %s", dir)
	list := filepath.Join(cache, "peer.txt")
	err := errors.Join(os.RemoveAll(dir), os.WriteFile(list, peerPackages, 0o644))
	for _, argv := range [][]string{
		{"python3", "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--compile", "-r", list},
	} {
		if err == nil {
			err = output(ctx, argv...)
		}
	}
	return python, errors.Join(err, writeIf(err == nil, done))
}

func writeIf(yes bool, path string) error {
	if !yes {
		return nil
	}
	return os.WriteFile(path, nil, 0o644)
}

// output runs a program; what it says becomes part of the error.
func output(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// build makes the gateway, as the Makefile does, and the fake kernel, whose path it returns.
func (b *benchmark) build(ctx context.Context) (string, error) {
	progress("building")
	kernel, err := testkernel.Build(ctx, b.cache)
	if err != nil || b.hopyard != "" {
		return kernel, err
	}
	b.hopyard = filepath.Join(b.cache, "hopyard")
	argv := []string{"env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.hopyard}
	if _, err := os.Stat("ui/dist/index.html"); err != nil {
		argv = append(argv, "-tags", "no_ui") // nothing that is measured is in the console's pages
	}
	return kernel, output(ctx, append(argv, "github.com/hopyard/hopyard/cmd/hopyard")...)
}

// The names of the kernelspecs.
const (
	fakeKernel = "fake"
	realKernel = "ipykernel"
)

// writeSpecs makes the kernelspecs that all servers share.
func (b *benchmark) writeSpecs() error {
	for name, argv := range map[string][]string{fakeKernel: b.fake, realKernel: b.real} {
		dir := filepath.Join(b.specs, "kernels", name)
		text, err := json.Marshal(map[string]any{"argv": argv, "display_name": name, "language": name})
		if err == nil {
			err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "kernel.json"), text, 0o644))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
