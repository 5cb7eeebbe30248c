package testchannel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hopyard/hopyard/internal/filelock"
)

//go:embed channel
var scripts embed.FS

// exitMissing is how channel.py says that a tool is missing on this machine.
const exitMissing = 77

// Folders are what Build makes.
type Folders struct {
	Channel string // with noarch/ and linux-64/
	Wheels  string // wheels, and a source distribution
	Python  string // an interpreter that has py-rattler
}

// MissingError says what this machine lacks to make the channel.
type MissingError struct{ What string }

// Error names it.
func (e *MissingError) Error() string { return e.What }

// made remembers what this process has built or found, by what decides it: asking the interpreters takes a while.
var made struct {
	sync.Mutex // held while building, too: one build is enough
	folders    map[string]Folders
}

// Build makes the channel in the caller's cache directory where it is not there yet, and says where it is. Processes that ask
// at the same time wait for the one that builds. What is there is complete. A *MissingError says what the machine lacks.
//
// The interpreters to repack are $HOPYARD_TEST_PYTHON_SRC, which may name several with ":" between them, else the python3.11
// and python3.12 of PATH.
func Build(ctx context.Context) (Folders, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Folders{}, fmt.Errorf("find the cache directory: %w", err)
	}
	made.Lock()
	defer made.Unlock()
	key := strings.Join([]string{cache, os.Getenv("PATH"), os.Getenv("HOPYARD_TEST_PYTHON_SRC")}, "\n")
	if folders, ok := made.folders[key]; ok {
		return folders, nil
	}
	folders, err := buildIn(ctx, filepath.Join(cache, "hopyard", "test"))
	if err != nil {
		return Folders{}, err
	}
	made.folders = map[string]Folders{key: folders}
	return folders, nil
}

func buildIn(ctx context.Context, cache string) (Folders, error) {
	pythons, err := findPythons(ctx)
	if err != nil {
		return Folders{}, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Folders{}, fmt.Errorf("make the cache of tests: %w", err)
	}
	b := &builder{cache: cache, pythons: pythons}
	for _, step := range []func(context.Context) error{b.makeTools, b.makeWheels, b.makeChannel} {
		if err := step(ctx); err != nil {
			return Folders{}, err
		}
	}
	return Folders{Channel: b.channel, Wheels: b.wheels, Python: b.program()}, nil
}

// builder makes three folders, each from the one before: a Python with tools, the wheels, the channel.
type builder struct {
	cache                  string
	pythons                []python
	tools, wheels, channel string
}

func (b *builder) makeTools(ctx context.Context) (err error) {
	pins, err := scripts.ReadFile("channel/tools.txt")
	if err != nil {
		return err
	}
	// Not moved once made: a virtual environment knows its own place. It is complete when the mark is in it.
	b.tools = b.name("tools", "tools.txt")
	mark := filepath.Join(b.tools, "complete")
	return b.once(ctx, b.tools, mark, func() error {
		if err := os.RemoveAll(b.tools); err != nil {
			return err
		}
		base := b.pythons[0].Path
		if err := run(ctx, base, "-m", "venv", b.tools); err != nil {
			return &MissingError{fmt.Sprintf("%s cannot make a virtual environment (on Debian: apt install python3-venv): %v", base, err)}
		}
		install := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"}
		if err := run(ctx, b.program(), append(install, strings.Fields(string(pins))...)...); err != nil {
			return err
		}
		return os.WriteFile(mark, nil, 0o644)
	})
}

func (b *builder) makeWheels(ctx context.Context) error {
	b.wheels = b.name("wheels", "wheels.txt", "channel.py", "edges.py")
	return b.once(ctx, b.wheels, b.wheels, func() error { return b.script(ctx, "wheels", b.wheels) })
}

func (b *builder) makeChannel(ctx context.Context) error {
	b.channel = b.name("channel", "")
	return b.once(ctx, b.channel, b.channel, func() error { return b.script(ctx, "channel", b.channel, "--wheels", b.wheels) })
}

// script runs channel.py into a folder beside out, which gets its name when all is done.
func (b *builder) script(ctx context.Context, what, out string, more ...string) error {
	work := filepath.Join(b.cache, "making-"+filepath.Base(out))
	if err := os.RemoveAll(work); err != nil { // of one that was killed; whoever holds the lock is the only one here
		return err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, scripts); err != nil {
		return err
	}
	made := filepath.Join(work, "made")
	args := slices.Concat([]string{"-B", filepath.Join(work, "channel", "channel.py"), what, made}, more)
	for _, p := range b.pythons {
		args = append(args, "--python", p.Path)
	}
	if err := run(ctx, b.program(), args...); err != nil {
		return err
	}
	return os.Rename(made, out)
}

// once runs make where mark is not there, one process at a time.
func (b *builder) once(ctx context.Context, folder, mark string, make func() error) error {
	if exists(mark) {
		return nil
	}
	held, err := filelock.Wait(ctx, folder+".lock")
	if err != nil {
		return fmt.Errorf("wait for whoever makes %s: %w", folder, err)
	}
	defer held.Close()
	if exists(mark) {
		return nil
	}
	if err := make(); err != nil {
		return fmt.Errorf("make %s: %w", folder, err)
	}
	return nil
}

// name is the path of a folder whose content is decided by the named scripts, all where the name is empty, and the Pythons.
func (b *builder) name(what string, files ...string) string {
	sum := sha256.New()
	for _, p := range b.pythons {
		fmt.Fprintln(sum, p.Path, p.Version)
	}
	_ = fs.WalkDir(scripts, "channel", func(path string, entry fs.DirEntry, _ error) error {
		if entry.IsDir() || !slices.Contains(files, "") && !slices.Contains(files, entry.Name()) {
			return nil
		}
		text, err := scripts.ReadFile(path)
		fmt.Fprintln(sum, path, len(text))
		_, _ = sum.Write(text)
		return err
	})
	return filepath.Join(b.cache, what+"-"+hex.EncodeToString(sum.Sum(nil))[:12])
}

func (b *builder) program() string { return filepath.Join(b.tools, "bin", "python") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run runs a program and makes what it wrote to stderr its error.
func run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	err := cmd.Run()
	said := strings.TrimSpace(stderr.String())
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitMissing {
		return &MissingError{said}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args[:min(3, len(args))], " "), err, said)
	}
	return nil
}
