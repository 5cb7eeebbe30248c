package kernels_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/kernels/terminal"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

const patience = 2 * time.Minute

// TestMain lets the test binary be its own agents. It has a secret in its environment that no program may see.
func TestMain(m *testing.M) {
	os.Setenv("HOPYARD_TEST_SECRET", "not for kernels")
	localtest.Main(m, map[string]localtest.Program{
		"agent": localtest.Agent(map[string]agent.Factory{bridge.Kind: bridge.New, terminal.Kind: terminal.New}),
	})
}

var (
	ann = kernels.Who{Project: "demo", User: "ann"}
	bob = kernels.Who{Project: "demo", User: "bob"}
)

// world is a Manager with all that it needs. Its environment's folder is env, the site's kernelspecs are in specs.
type world struct {
	*kernels.Manager
	t       testing.TB
	runs    *workloads.Manager
	storage storage.Backend
	queue   queue.Queue
	driver  scheduling.Driver
	env     kernels.Environment
	more    []kernels.Environment // besides env
	noEnv   error
	specs   string
	files   string
	wait    time.Duration // for a kernel's first answer
	asked   func()        // is called when a kernel's environment is asked for; nil does nothing
	close   func()
}

// Resolve implements kernels.EnvResolver.
func (w *world) Resolve(context.Context, string) (kernels.Environment, error) { return w.env, w.noEnv }

// ResolveAll implements kernels.EnvResolver.
func (w *world) ResolveAll(context.Context, string) ([]kernels.Environment, error) {
	if w.asked != nil {
		w.asked()
	}
	if w.noEnv != nil {
		return nil, w.noEnv
	}
	return append([]kernels.Environment{w.env}, w.more...), nil
}

func setup(t testing.TB) *world {
	t.Helper()
	program, err := localtest.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, wait: patience, storage: memory.NewStorage(), queue: memory.NewQueue(), driver: localtest.Driver(t), specs: t.TempDir(), files: t.TempDir(),
		env: kernels.Environment{Name: "analytics", Build: 12, ID: "0123456789abcdef", Version: "3.11.7", Prefix: t.TempDir()},
	}
	w.env.Bin = filepath.Join(w.env.Prefix, "bin")
	w.env.Python = filepath.Join(w.env.Bin, "python3")
	w.env.Variables = map[string]string{"CONDA_PREFIX": w.env.Prefix, "HOME": "/nowhere"}
	w.spec("python3", map[string]any{
		"argv": []string{program, "-f", "{connection_file}"}, "display_name": "Python 3", "language": "python",
		"env": map[string]string{"FROM_SPEC": "yes", "MY_HOME": "${HOME}/x", "NO_SECRET": "${HOPYARD_TEST_SECRET}"},
	})
	w.spec("dying", map[string]any{"argv": []string{program, "-die", "No module named ipykernel", "-f", "{connection_file}"}, "display_name": "D", "language": "x"})
	w.spec("late", map[string]any{"argv": []string{program, "-delay", "1h", "-f", "{connection_file}"}, "display_name": "L", "language": "x"})
	w.open()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.runs.StopAll(ctx, "", func(workloads.Info) {}); err != nil {
			t.Error(err)
		}
		w.close()
	})
	return w
}

// open makes the Managers, as a gateway does when it starts.
func (w *world) open() {
	log := slog.New(slog.DiscardHandler)
	w.runs = workloads.New(workloads.Config{Storage: w.storage, Queue: w.queue, Driver: w.driver, Log: log, Grace: 2 * time.Second})
	folder := func(names ...string) (string, error) {
		dir := filepath.Join(append([]string{w.files}, names...)...)
		return dir, os.MkdirAll(dir, 0o700)
	}
	w.Manager = kernels.New(kernels.Config{
		Workloads: w.runs, Storage: w.storage, Env: w, SpecDirs: []string{w.specs}, Log: log, StartWait: w.wait,
		Root: func(project string) (string, error) { return folder(project) },
		Home: func(project, user string) (string, error) { return folder("homes", project, user) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.runs.Start()
	w.Manager.Start(ctx)
	w.close = func() {
		cancel()
		_ = w.runs.Close()
	}
}

// restart is another gateway on the same storage and machine.
func (w *world) restart() {
	w.close()
	w.open()
}

// spec writes a kernelspec of the site.
func (w *world) spec(name string, content any) {
	w.t.Helper()
	text, ok := content.(string)
	if !ok {
		b, err := json.Marshal(content)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(b)
	}
	w.write(filepath.Join(w.specs, name, "kernel.json"), text)
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(who kernels.Who, req kernels.StartRequest) kernels.Kernel {
	w.t.Helper()
	k, err := w.StartKernel(w.t.Context(), who, req)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// run runs code in a kernel and gives what it displays, or the result, or the error.
func (w *world) run(who kernels.Who, id, code string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	c, err := w.Attach(ctx, who, id, "tab-"+code, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	msg := fmt.Sprint("m-", time.Now().UnixNano())
	content, _ := json.Marshal(map[string]any{"code": code, "silent": false, "allow_stdin": false})
	m := wire.Message{Channel: wire.Shell, Header: wire.NewHeader(msg, "execute_request", "tab", who.User, time.Now()), Content: content}
	if err := c.Input(wire.AppendV1(nil, m)); err != nil {
		w.t.Fatal(err)
	}
	var said strings.Builder
	for {
		ev, _, err := c.Next(func() []byte { return nil })
		if err != nil {
			w.t.Fatalf("%q said %q, then %v", code, said.String(), err)
		}
		for b := ev.Records; len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				w.t.Fatal(err)
			}
			m, err := wire.ParseV1(r.Body)
			if err != nil {
				w.t.Fatal(err)
			}
			if parent, _, _, _ := wire.Head(m.Parent); parent != msg {
				continue
			}
			var content struct {
				Text   string            `json:"text"`
				Data   map[string]string `json:"data"`
				EValue string            `json:"evalue"`
				State  string            `json:"execution_state"`
			}
			_ = json.Unmarshal(m.Content, &content)
			if m.Channel == wire.IOPub {
				said.WriteString(content.Text + content.Data["text/plain"] + content.EValue)
			}
			if content.State == "idle" {
				return said.String()
			}
		}
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-look.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func wantProblem(t testing.TB, what string, err error, code problem.Code) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Errorf("%s = %v, want a problem %q", what, err, code)
	}
}
