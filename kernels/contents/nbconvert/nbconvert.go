// Package nbconvert turns notebooks into other formats with the nbconvert of the project's own environment, in a process of its
// own: a short program with a time limit, without the user's configuration and without a shell.
package nbconvert

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
)

// Format is one thing that notebooks can be turned into.
type Format struct {
	Name     string
	Mimetype string
	// needs is a program besides Python without which it does not work.
	needs string
}

// formats are those of nbconvert that need neither TeX nor a browser on the host.
var formats = []Format{
	{"asciidoc", "text/asciidoc", "pandoc"},
	{"html", "text/html", ""},
	{"latex", "text/latex", "pandoc"},
	{"markdown", "text/markdown", ""},
	{"notebook", "application/json", ""},
	{"python", "text/x-python", ""},
	{"rst", "text/x-rst", "pandoc"},
	{"script", "text/plain", ""},
	{"slides", "text/html", ""},
}

// Limits of one conversion.
const (
	timeLimit = 2 * time.Minute
	maxOutput = 256 << 20 // bytes
	atOnce    = 2
)

// Job is one program to run to its end.
type Job struct {
	Project string
	User    string
	Dir     string   // the only folder it needs besides its environment
	Argv    []string // the program's absolute path first
	Env     []string // all of it
	Stderr  io.Writer
}

// Runner runs a Job. It kills what is left of it when ctx ends.
type Runner func(ctx context.Context, job Job) error

// Environments finds the environment whose nbconvert is used. It is safe for concurrent use.
type Environments interface {
	// Resolve returns the project's default environment; a problem.Unavailable if there is none that works.
	Resolve(ctx context.Context, project string) (kernels.Environment, error)
}

// Converter converts. It is safe for concurrent use.
type Converter struct {
	envs Environments
	run  Runner
	slot chan struct{}
}

// New makes a Converter that finds nbconvert through envs and runs it with run; Local is a Runner without any isolation.
func New(envs Environments, run Runner) *Converter {
	return &Converter{envs: envs, run: run, slot: make(chan struct{}, atOnce)}
}

// Formats lists what notebooks of the project can be turned into. It is a problem.Unavailable if its environment has no nbconvert.
func (c *Converter) Formats(ctx context.Context, project string) ([]Format, error) {
	env, err := c.environment(ctx, project)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(formats), func(f Format) bool { return !f.usable(env) }), nil
}

func (f Format) usable(env kernels.Environment) bool {
	if f.needs == "" {
		return true
	}
	if _, err := os.Stat(filepath.Join(env.Bin, f.needs)); err == nil {
		return true
	}
	_, err := exec.LookPath(f.needs)
	return err == nil
}

func (c *Converter) environment(ctx context.Context, project string) (kernels.Environment, error) {
	env, err := c.envs.Resolve(ctx, project)
	if err != nil {
		return env, err
	}
	found, _ := filepath.Glob(filepath.Join(env.Prefix, "lib*", "python3*", "site-packages", "nbconvert", "__main__.py"))
	if len(found) == 0 {
		return env, problem.New(problem.Unavailable, "environment %q has no nbconvert: install the package nbconvert in it to export notebooks", env.Name)
	}
	return env, nil
}

// Request says what to convert.
type Request struct {
	Project  string
	User     string
	Format   string
	Name     string // the notebook's file name: the title, and the name of the result
	Notebook io.Reader
	Sanitize bool // of HTML: leave out what could run
}

// Result is what came out: one file, or a ZIP archive if there are images beside it.
type Result struct {
	Name     string
	Mimetype string
	Data     []byte
}

// Convert converts one notebook. It is a problem.NotFound for a format that is not known, a problem.Unavailable without nbconvert or
// if it takes too long, and a problem.Invalid if nbconvert cannot read the notebook.
func (c *Converter) Convert(ctx context.Context, req Request) (*Result, error) {
	i := slices.IndexFunc(formats, func(f Format) bool { return f.Name == req.Format })
	if i < 0 {
		return nil, problem.New(problem.NotFound, "No exporter for format: %s", req.Format)
	}
	env, err := c.environment(ctx, req.Project)
	if err != nil {
		return nil, err
	}
	if !formats[i].usable(env) {
		return nil, problem.New(problem.Unavailable, "exporting to %s needs the program %s on this host", req.Format, formats[i].needs)
	}
	select {
	case c.slot <- struct{}{}:
		defer func() { <-c.slot }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	dir, err := os.MkdirTemp("", "hopyard-nbconvert-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return c.convert(ctx, env, dir, req, formats[i])
}

func (c *Converter) convert(ctx context.Context, env kernels.Environment, dir string, req Request, f Format) (*Result, error) {
	name := safeName(req.Name)
	in, out := filepath.Join(dir, "in", name), filepath.Join(dir, "out")
	if err := write(in, req.Notebook); err != nil {
		return nil, err
	}
	// Isolated mode keeps Python from importing what lies in the folder, JUPYTER_NO_CONFIG nbconvert from configuration that
	// could name code to run.
	argv := []string{env.Python, "-I", "-m", "nbconvert", "--to", f.Name, "--output-dir", out}
	if req.Sanitize {
		argv = append(argv, "--HTMLExporter.sanitize_html=True")
	}
	limited, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	var stderr tail
	err := c.run(limited, Job{
		Project: req.Project, User: req.User, Dir: dir, Argv: append(argv, in), Stderr: &stderr,
		Env: []string{
			"PATH=" + env.Bin + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8",
			"JUPYTER_NO_CONFIG=1", "JUPYTER_CONFIG_DIR=" + dir, "JUPYTER_DATA_DIR=" + dir, "JUPYTER_RUNTIME_DIR=" + dir, "IPYTHONDIR=" + dir,
		},
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, problem.New(problem.Unavailable, "converting %s took longer than %s and was stopped", name, timeLimit)
	case err != nil:
		return nil, problem.New(problem.Invalid, "nbconvert failed: %s", stderr.lastLine(err))
	}
	return collect(out, strings.TrimSuffix(name, path.Ext(name)), f)
}

// safeName makes a file name of what a client calls its notebook.
func safeName(name string) string {
	name = path.Base("/" + strings.ReplaceAll(name, "\x00", ""))
	if !strings.HasSuffix(name, ".ipynb") || strings.HasPrefix(name, ".") || len(name) > 200 {
		return "notebook.ipynb"
	}
	return name
}

func write(name string, r io.Reader) error {
	if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// collect reads what nbconvert wrote. It does so through an os.Root: the program could have left links.
func collect(dir, stem string, f Format) (*Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files := map[string][]byte{}
	var names []string
	left := maxOutput
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if files[name], err = root.ReadFile(name); err != nil {
			return err
		}
		if left -= len(files[name]); left < 0 {
			return problem.New(problem.TooLarge, "what nbconvert made is larger than %d MiB", maxOutput>>20)
		}
		names = append(names, name)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		return nil, errors.New("nbconvert wrote nothing")
	case len(names) == 1:
		return &Result{names[0], f.Mimetype, files[names[0]]}, nil
	}
	data, err := archive(names, files)
	return &Result{stem + ".zip", "application/zip", data}, err
}

func archive(names []string, files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 8 << 10
	t.b = append(t.b, p...)
	if len(t.b) > keep {
		t.b = append(t.b[:0], t.b[len(t.b)-keep:]...)
	}
	return len(p), nil
}

// lastLine gives what Python says at the end of a traceback, or else err.
func (t *tail) lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}

// Local is a Runner that runs the program as a child of this process, with no isolation. All of its process group is killed
// when the context ends.
func Local(ctx context.Context, job Job) error {
	// The child dies with the thread that made it, thus with this process, so the thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, job.Argv[0], job.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = job.Dir, job.Env, job.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", filepath.Base(job.Argv[0]), err)
	}
	return nil
}
