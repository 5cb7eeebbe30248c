package nbconvert_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/contents/nbconvert"
)

// resolver gives one environment to all projects.
type resolver struct{ env kernels.Environment }

func (r resolver) Resolve(context.Context, string) (kernels.Environment, error) { return r.env, nil }

// environment makes a folder that looks like one with nbconvert in it.
func environment(t *testing.T) resolver {
	t.Helper()
	prefix := t.TempDir()
	main := filepath.Join(prefix, "lib", "python3.11", "site-packages", "nbconvert", "__main__.py")
	if err := os.MkdirAll(filepath.Dir(main), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return resolver{kernels.Environment{Name: "base", Prefix: prefix, Bin: prefix + "/bin", Python: prefix + "/bin/python"}}
}

// writes is a Runner that writes files instead of running a program.
func writes(files map[string]string) nbconvert.Runner {
	return func(_ context.Context, job nbconvert.Job) error {
		out := job.Argv[slices.Index(job.Argv, "--output-dir")+1]
		for name, content := range files {
			full := filepath.Join(out, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(content), 0o644)); err != nil {
				return err
			}
		}
		return nil
	}
}

func request(format string) nbconvert.Request {
	return nbconvert.Request{Project: "demo", User: "ann", Format: format, Name: "a b.ipynb", Notebook: strings.NewReader("{}")}
}

func TestOneFileComesAsItIs(t *testing.T) {
	t.Parallel()
	c := nbconvert.New(environment(t), writes(map[string]string{"a b.html": "<html>"}))
	got, err := c.Convert(t.Context(), request("html"))
	if err != nil || got.Name != "a b.html" || got.Mimetype != "text/html" || string(got.Data) != "<html>" {
		t.Errorf("Convert = %+v, %v", got, err)
	}
}

func TestSeveralFilesComeAsOneArchive(t *testing.T) {
	t.Parallel()
	c := nbconvert.New(environment(t), writes(map[string]string{"a b.md": "![](a_files/1.png)", "a_files/1.png": "PNG"}))
	got, err := c.Convert(t.Context(), request("markdown"))
	if err != nil || got.Name != "a b.zip" || got.Mimetype != "application/zip" {
		t.Fatalf("Convert = %+v, %v", got, err)
	}
	z, err := zip.NewReader(bytes.NewReader(got.Data), int64(len(got.Data)))
	if err != nil || len(z.File) != 2 || z.File[1].Name != "a_files/1.png" {
		t.Errorf("archive = %+v, %v", z, err)
	}
}

func TestTheProgramGetsNoShellAndNoSecrets(t *testing.T) {
	t.Setenv("HOPYARD_SECRET", "x")
	var got nbconvert.Job
	c := nbconvert.New(environment(t), func(ctx context.Context, job nbconvert.Job) error {
		got = job
		return writes(map[string]string{"x.html": ""})(ctx, job)
	})
	req := request("html")
	req.Name = "--config=evil;$(touch x).ipynb"
	if _, err := c.Convert(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(got.Argv[len(got.Argv)-1]) || slices.ContainsFunc(got.Env, func(s string) bool { return strings.Contains(s, "SECRET") }) {
		t.Errorf("job = %+v", got)
	}
	if _, err := os.Stat(got.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	t.Parallel()
	fails := func(_ context.Context, job nbconvert.Job) error {
		_, _ = job.Stderr.Write([]byte("Traceback\n  File x\nNotJSONError: it is not\n"))
		return errors.New("exit status 1")
	}
	c := nbconvert.New(environment(t), fails)
	if _, err := c.Convert(t.Context(), request("html")); !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), "NotJSONError: it is not") {
		t.Errorf("Convert = %v", err)
	}
	if _, err := c.Convert(t.Context(), request("nope")); !problem.Is(err, problem.NotFound) {
		t.Errorf("Convert to nope = %v", err)
	}
	none := nbconvert.New(resolver{kernels.Environment{Name: "bare", Prefix: t.TempDir()}}, fails)
	if _, err := none.Convert(t.Context(), request("html")); !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "install") {
		t.Errorf("Convert without nbconvert = %v", err)
	}
	if _, err := none.Formats(t.Context(), "demo"); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Formats without nbconvert = %v", err)
	}
}

func TestLocalKillsWhatIsLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	started := &signal{first: cancel}
	job := nbconvert.Job{Dir: t.TempDir(), Argv: []string{"/bin/sh", "-c", "echo up >&2; sleep 600 & wait"}, Stderr: started}
	if err := nbconvert.Local(ctx, job); err == nil {
		t.Error("Local = nil of a job that was cancelled")
	}
}

// signal calls first when something is written to it.
type signal struct{ first func() }

func (s *signal) Write(p []byte) (int, error) {
	s.first()
	return len(p), nil
}

// TestRealNbconvert runs where HOPYARD_TEST_PYTHON is the interpreter of an environment that has nbconvert.
func TestRealNbconvert(t *testing.T) {
	t.Parallel()
	python := os.Getenv("HOPYARD_TEST_PYTHON")
	if python == "" || exec.CommandContext(t.Context(), python, "-c", "import nbconvert").Run() != nil {
		t.Skip("HOPYARD_TEST_PYTHON names no Python with nbconvert")
	}
	prefix := filepath.Dir(filepath.Dir(python))
	env := kernels.Environment{Name: "test", Prefix: prefix, Bin: prefix + "/bin", Python: prefix + "/bin/python"}
	c := nbconvert.New(resolver{env}, nbconvert.Local)
	req := request("html")
	req.Notebook = strings.NewReader(`{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{"cell_type":"markdown","id":"a","metadata":{},"source":["# Hello\n"]}]}`)
	got, err := c.Convert(t.Context(), req)
	if err != nil || !bytes.Contains(got.Data, []byte("Hello")) || got.Name != "a b.html" {
		t.Fatalf("Convert = %v, %v", got, err)
	}
	req.Notebook = strings.NewReader(`{`)
	if _, err := c.Convert(t.Context(), req); !problem.Is(err, problem.Invalid) {
		t.Errorf("Convert of no notebook = %v", err)
	}
}
