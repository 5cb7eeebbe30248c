package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed rattler.py
var rattlerProgram []byte

// rattler is the peer of environments: py-rattler of the version, and on the interpreter, that Hopyard's helper has.
type rattler struct {
	python, script string
	packages       string // its cache of packages
	dir            string
	made           int

	cmd *exec.Cmd // the resident process
	in  io.WriteCloser
	out *bufio.Reader
}

// startRattler starts a resident process, which has read nothing yet.
func (b *benchmark) startRattler(dir, python string) (*rattler, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// The script is not named rattler.py: it would be taken for the module that it imports.
	r := &rattler{python: python, script: filepath.Join(dir, "peer.py"), packages: filepath.Join(dir, "pkgs"), dir: dir}
	if err := os.WriteFile(r.script, rattlerProgram, 0o644); err != nil {
		return nil, err
	}
	r.cmd = exec.Command(python, r.script, "serve", filepath.Join(dir, "repodata")) //nolint:noctx // it ends with its input
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	r.cmd.Stderr = os.Stderr
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewReader(out)
	return r, r.cmd.Start()
}

func (r *rattler) close() {
	_ = r.in.Close()
	_ = r.cmd.Wait() // it has nothing to lose
}

// question is what the resident process is asked. Keep gives it what it last found as what to stay with; File names a lock file to
// write.
type question struct {
	Op       string   `json:"op"`
	Channels []string `json:"channels,omitempty"`
	Specs    []string `json:"specs,omitempty"`
	Keep     bool     `json:"keep,omitempty"`
	File     string   `json:"file,omitempty"`
	Prefix   string   `json:"prefix,omitempty"`
	Packages string   `json:"packages,omitempty"`
}

// ask gives how long the work itself took, by the process's own clock.
func (r *rattler) ask(q question) (time.Duration, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return 0, err
	}
	if _, err := r.in.Write(append(text, '\n')); err != nil {
		return 0, err
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("py-rattler has ended: %w", err)
	}
	var answer struct{ Seconds float64 }
	err = json.Unmarshal(line, &answer)
	return time.Duration(answer.Seconds * float64(time.Second)), err
}

// know has it solve for exactly the packages of an explicit list, and writes a lock file of them.
func (r *rattler) know(channel string, exact []string) (file string, err error) {
	r.made++
	file = filepath.Join(r.dir, fmt.Sprintf("lock-%d.lock", r.made))
	_, err = r.ask(question{Op: "solve", Channels: []string{channel}, Specs: exact, File: file})
	return file, err
}

// install installs what it knows, in the resident process.
func (r *rattler) install() (prefix string, took time.Duration, err error) {
	prefix = r.prefix()
	took, err = r.ask(question{Op: "install", Prefix: prefix, Packages: r.packages})
	return prefix, took, err
}

func (r *rattler) prefix() string {
	r.made++
	return filepath.Join(r.dir, fmt.Sprintf("prefix-%d", r.made))
}

// alone installs a lock file in a process of its own. whole is from its start to its end, inside what the installation took.
func (r *rattler) alone(ctx context.Context, file string) (prefix string, whole, inside time.Duration, err error) {
	prefix = r.prefix()
	out, whole, err := timed(ctx, nil, r.python, r.script, "install", file, prefix, r.packages)
	if err != nil {
		return "", 0, 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	return prefix, whole, time.Duration(seconds * float64(time.Second)), err
}

// timed runs a program, gives what it printed, and how long that took.
func timed(ctx context.Context, env []string, argv ...string) (string, time.Duration, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(argv[:min(3, len(argv))], " "), err, words.Bytes()[max(0, words.Len()-300):])
	}
	return out.String(), took, err
}
