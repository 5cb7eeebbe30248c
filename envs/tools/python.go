package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// Python is an interpreter of this host.
type Python struct {
	Path    string `json:"path"`    // the interpreter itself, not a link or a shim that leads to it
	Full    string `json:"full"`    // "3.11.7"
	Version string `json:"version"` // "3.11"
	Machine string `json:"machine"` // "x86_64"
	Libc    string `json:"libc"`    // "glibc 2.36"
	Venv    bool   `json:"venv"`    // the venv module is there
	Pip     bool   `json:"pip"`     // the pip module is there
}

// What an interpreter says of itself. _base_executable is the one below an activated virtual environment.
const probe = `
import importlib.util, json, platform, sys
v = sys.version_info
print(json.dumps({
    "path": getattr(sys, "_base_executable", None) or sys.executable,
    "full": "%d.%d.%d" % v[:3], "version": "%d.%d" % v[:2],
    "machine": platform.machine(), "libc": " ".join(platform.libc_ver()),
    "venv": importlib.util.find_spec("venv") is not None,
    "pip": importlib.util.find_spec("pip") is not None,
}))`

// Versions are the Python versions that environments of wheels stand on, the one to prefer first.
var Versions = []string{"3.13", "3.12", "3.11"}

// Probe asks the interpreter, a path or a name on PATH, what it is.
func Probe(ctx context.Context, python string) (Python, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-I", "-c", probe).Output()
	if err != nil {
		return Python{}, fmt.Errorf("ask %s what it is: %w", python, err)
	}
	var p Python
	if err := json.Unmarshal(out, &p); err != nil {
		return Python{}, fmt.Errorf("ask %s what it is: %w", python, err)
	}
	return p, nil
}

// usable says in a sentence why environments cannot be built on p; nil if they can.
func (p Python) usable(versions []string) error {
	switch {
	case !slices.Contains(versions, p.Version):
		return problem.New(problem.Unavailable, "%s is Python %s; one of %s is needed", p.Path, p.Full, strings.Join(versions, ", "))
	case p.Machine != "x86_64" || !strings.HasPrefix(p.Libc, "glibc"):
		return problem.New(problem.Unavailable, "%s is built for %s with %s; our wheels are pinned for x86_64 Linux with glibc", p.Path, p.Machine, p.Libc)
	case !p.Venv:
		return problem.New(problem.Unavailable, "%s has no venv module; on Debian: apt install python3-venv", p.Path)
	}
	return nil
}

// FindPython returns the interpreter to build on: the one asked for, else the newest on PATH that will do. Where none will,
// the problem says what was found and what to install.
func FindPython(ctx context.Context, asked string) (Python, error) {
	return findPython(ctx, asked, Versions)
}

func findPython(ctx context.Context, asked string, versions []string) (Python, error) {
	names := make([]string, 0, len(versions)+1)
	for _, v := range versions {
		names = append(names, "python"+v)
	}
	names = append(names, "python3")
	if asked != "" {
		names = []string{asked}
	}
	var unfit error
	for _, name := range names {
		p, err := Probe(ctx, name)
		if err != nil {
			continue // not there, or a shim of a version manager with nothing behind it
		}
		if err := p.usable(versions); err != nil {
			unfit = err
			continue
		}
		return p, nil
	}
	switch {
	case ctx.Err() != nil:
		return Python{}, context.Cause(ctx)
	case unfit != nil:
		return Python{}, unfit
	case asked != "":
		return Python{}, problem.New(problem.Unavailable, "the configured Python %q cannot be started; name an interpreter of version %s", asked, strings.Join(versions, ", "))
	default:
		return Python{}, problem.New(problem.Unavailable, "no Python was found on PATH; on Debian: apt install python3 python3-pip python3-venv")
	}
}
