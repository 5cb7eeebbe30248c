package uv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
)

// Venv makes an empty virtual environment at prefix, an absent or empty folder, on the interpreter base. It holds neither pip
// nor anything else to install with.
func (t *Tool) Venv(ctx context.Context, base, prefix string) error {
	// A folder that is there already would make uv ask what to do.
	if err := os.Remove(prefix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make a virtual environment: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(prefix), 0o755); err != nil {
		return fetch.NoRoom("make a virtual environment", err)
	}
	_, err := t.run(ctx, invocation{cache: t.Cache, args: []string{
		"venv", "--quiet", "--no-config", "--no-project", "--offline", "--python", base, prefix,
	}})
	if err != nil {
		return t.failure(err, "")
	}
	return nil
}

// Install puts fetched wheels into an environment and tells of it in the phase pip. Nothing is resolved and no network is
// touched: exactly these files go in, after their hashes were checked once more. The wheels are looked into before: what would
// leave the environment or replace what is there is refused.
func (t *Tool) Install(ctx context.Context, req InstallRequest, tell driver.Sink) error {
	if len(req.Wheels) == 0 {
		return nil
	}
	for _, w := range req.Wheels {
		if err := checkWheel(w); err != nil {
			return driver.Failf(driver.SpecInvalid, "the lock cannot be used: %w", err)
		}
	}
	if err := inspect(ctx, req, tell); err != nil {
		return err
	}
	count := fetch.NewCounter(driver.Event{Phase: driver.Pip, Total: len(req.Wheels)}, tell) // uv says nothing of bytes
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchInstalled(watching, req, count)
	}()
	got, err := t.run(ctx, installation(req))
	stop()
	<-watched
	if err != nil {
		return t.installFailure(err, req)
	}
	if has(got.stderr, "Failed to hardlink", "falling back to full copy") && tell != nil {
		tell(driver.Event{Type: driver.TypeLog, Phase: driver.Pip, Text: "files were copied, not linked: the cache is on another filesystem"})
	}
	count.Reach(len(req.Wheels), "")
	return nil
}

// installation names every wheel's own folder to uv. One folder with links to all of them would be read faster, but uv knows
// what it unpacked before by the folder that it came from, so that a folder must stay the same for all environments.
func installation(req InstallRequest) invocation {
	in := invocation{cache: req.UVCache, args: []string{
		"pip", "install", "--no-config", "--python", req.Python, "--requirement", "-",
		"--require-hashes", "--no-deps", "--only-binary", ":all:", "--offline", "--no-index",
		"--link-mode", "hardlink", "--break-system-packages",
	}}
	var lines strings.Builder
	for _, w := range req.Wheels {
		in.args = append(in.args, "--find-links", filepath.Join(req.Dir, w.SHA256))
		fmt.Fprintf(&lines, "%s==%s --hash=sha256:%s\n", w.Name, w.Version, w.SHA256)
	}
	in.stdin = lines.String()
	return in
}

// lookEvery is the time between two looks at what is installed.
const lookEvery = 100 * time.Millisecond

// watchInstalled counts the wheels that are in the environment until its context ends. uv itself says nothing before the end.
func watchInstalled(ctx context.Context, req InstallRequest, count *fetch.Counter) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if there := installed(req); len(there) > 0 {
				count.Reach(len(there), there[len(there)-1].Name)
			}
		}
	}
}

// installed are the wheels whose RECORD is there: the file that is written last.
func installed(req InstallRequest) []lock.Wheel {
	folders := sitePackages(req.Python)
	var there []lock.Wheel
	for _, w := range req.Wheels {
		parsed, err := parseWheelName(w.Filename)
		if err != nil {
			continue
		}
		for _, folder := range folders {
			if _, err := os.Stat(filepath.Join(folder, parsed.name+"-"+parsed.version+".dist-info", "RECORD")); err == nil {
				there = append(there, w)
				break
			}
		}
	}
	return there
}

// sitePackages are the folders of modules of an environment, by its interpreter.
func sitePackages(python string) []string {
	prefix := filepath.Dir(filepath.Dir(python))
	folders, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3.*", "site-packages"))
	return folders
}

// installFailure adds the package that uv speaks of.
func (t *Tool) installFailure(err error, req InstallRequest) error {
	bad, ok := errors.AsType[*failed](err)
	if !ok {
		return err
	}
	f, _ := errors.AsType[*driver.Failure](t.failure(err, ""))
	for _, w := range req.Wheels {
		if strings.Contains(bad.words, w.Filename) || strings.Contains(bad.words, "`"+w.Name+"==") || strings.Contains(bad.words, w.Name+"=="+w.Version) {
			f.Package = w.Name
			break
		}
	}
	switch {
	case has(bad.words, "Failed to extract", "Failed to install", "wheel is invalid", "Failed to read", "invalid zip", "Failed to unzip"):
		if f.Cause != driver.DiskFull && f.Cause != driver.HashMismatch && f.Cause != driver.OutOfMemory {
			f.Cause, f.Message = driver.PackageBroken, "a wheel cannot be installed: "+firstWords(t.redact(bad.words))
		}
	case f.Cause == driver.PackageMissing || f.Cause == driver.Unsatisfiable:
		// All files are there, so it is not a matter of what the index has.
		f.Cause, f.Message = driver.PackageBroken, "a wheel does not fit this interpreter, or is not what its name says"
	}
	return f
}
