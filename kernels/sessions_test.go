package kernels_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/plugins/storage"
)

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// execute is an execute_request with an id of its own.
func execute(code string) []byte {
	content, _ := json.Marshal(map[string]any{"code": code})
	return wire.AppendV1(nil, wire.Message{
		Channel: wire.Shell, Header: wire.NewHeader(uuid.NewString(), "execute_request", "tab", "ann", time.Now()), Content: content,
	})
}

// countStreams counts stream messages of cells until the kernel has died.
func countStreams(t *testing.T, c *agent.Conn) (n int) {
	t.Helper()
	timer := time.AfterFunc(patience, func() { _ = c.Close() })
	defer timer.Stop()
	for {
		ev, _, err := c.Next(func() []byte { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for b := ev.Records; len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			m, err := wire.ParseV1(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.Contains(string(m.Content), `"restarting"`):
				return n
			case wire.IsType(m.Header, "stream") && !strings.Contains(string(m.Content), "stderr"):
				n++
			}
		}
	}
}

func notebook(path string) kernels.SessionRequest {
	return kernels.SessionRequest{Path: path, Name: path, Type: "notebook"}
}

func (w *world) session(who kernels.Who, req kernels.SessionRequest) kernels.BoundSession {
	w.t.Helper()
	s, err := w.CreateSession(w.t.Context(), who, req)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) stored() int {
	w.t.Helper()
	page, err := w.storage.List(context.Background(), storage.Query{Prefix: "notebook-sessions/"})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(page.Records)
}

func TestSessionLives(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	if s.Kernel.ID == "" || s.Path != "a.ipynb" || s.Type != "notebook" {
		t.Errorf("CreateSession() = %+v", s)
	}
	if again := w.session(ann, kernels.SessionRequest{Path: "a.ipynb", Type: "console", KernelSpec: "dying"}); again.ID != s.ID || again.Type != "notebook" {
		t.Errorf("second CreateSession() = %+v, want the first", again)
	}
	if other := w.session(bob, notebook("a.ipynb")); other.ID == s.ID || other.KernelID == s.KernelID {
		t.Error("bob got ann's session")
	}
	console := w.session(ann, kernels.SessionRequest{Path: "a.ipynb/console-1", Type: "console", KernelID: s.KernelID})
	if console.KernelID != s.KernelID || console.ID == s.ID {
		t.Errorf("CreateSession() with a kernel = %+v", console)
	}
	path, name := "b.ipynb", "b"
	moved, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{Path: &path, Name: &name})
	if err != nil || moved.Path != path || moved.KernelID != s.KernelID || moved.Type != "notebook" {
		t.Errorf("UpdateSession() = %+v, %v", moved, err)
	}
	if info, err := w.runs.Get(t.Context(), "demo", s.KernelID); err != nil || info.Name != "b" {
		t.Errorf("workload = %+v, %v, want the new name", info, err)
	}
	w.restart()
	all, err := w.Sessions(t.Context(), ann)
	if err != nil || len(all) != 2 || all[0].Path != "a.ipynb/console-1" || all[1].Path != "b.ipynb" || all[1].ID != s.ID {
		t.Errorf("Sessions() after a restart = %+v, %v", all, err)
	}
	if err := w.DeleteSession(t.Context(), ann, s.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Session(t.Context(), ann, s.ID)
	wantProblem(t, "Session() after its end", err, problem.NotFound)
	_, err = w.Kernel(t.Context(), ann, s.KernelID)
	wantProblem(t, "Kernel() after its session's end", err, problem.NotFound)
	wantProblem(t, "second DeleteSession()", w.DeleteSession(t.Context(), ann, s.ID), problem.NotFound)
	if err := w.DeleteSession(t.Context(), ann, console.ID); !problem.Is(err, problem.Gone) && !problem.Is(err, problem.NotFound) {
		t.Errorf("DeleteSession() of the console = %v, want that its kernel has gone", err)
	}
	eventually(t, "only bob's session is stored", func() bool { return w.stored() == 1 })
}

func TestAnotherKernelTakesTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	with, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{KernelSpec: "python3"})
	if err != nil || with.KernelID == s.KernelID {
		t.Fatalf("UpdateSession() = %+v, %v, want another kernel", with, err)
	}
	_, err = w.Kernel(t.Context(), ann, s.KernelID)
	wantProblem(t, "the old kernel", err, problem.NotFound)
	if got, err := w.Session(t.Context(), ann, s.ID); err != nil || got.KernelID != with.KernelID {
		t.Errorf("Session() = %+v, %v, want the new kernel", got, err)
	}
	if _, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{KernelSpec: "dying"}); err == nil {
		t.Error("a kernel that dies takes the place")
	}
	if _, err := w.Kernel(t.Context(), ann, with.KernelID); err != nil {
		t.Errorf("the kernel that was to be replaced = %v", err)
	}
}

func TestPathAndNameThatChangeAtOnceBothChange(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("before.ipynb"))
	for i := range 50 {
		text := fmt.Sprintf("after-%d.ipynb", i)
		var patches sync.WaitGroup
		for _, p := range []kernels.SessionPatch{{Path: &text}, {Name: &text}} {
			patches.Go(func() {
				if _, err := w.UpdateSession(t.Context(), ann, s.ID, p); err != nil {
					t.Error(err)
				}
			})
		}
		patches.Wait()
		if got, err := w.Session(t.Context(), ann, s.ID); err != nil || got.Path != text || got.Name != text {
			t.Fatalf("Session() = %s, %s, %v; want both to be %s", got.Path, got.Name, err, text)
		}
	}
}

func TestNobodySeesTheSessionsOfOthers(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	_, err := w.Session(t.Context(), bob, s.ID)
	wantProblem(t, "Session()", err, problem.NotFound)
	_, err = w.UpdateSession(t.Context(), bob, s.ID, kernels.SessionPatch{})
	wantProblem(t, "UpdateSession()", err, problem.NotFound)
	wantProblem(t, "DeleteSession()", w.DeleteSession(t.Context(), bob, s.ID), problem.NotFound)
	if all, err := w.Sessions(t.Context(), bob); err != nil || len(all) > 0 {
		t.Errorf("Sessions() = %v, %v", all, err)
	}
	if _, err := w.Session(t.Context(), ann, s.ID); err != nil {
		t.Errorf("ann's session = %v", err)
	}
}

func TestSessionEndsWithItsKernel(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	if err := w.StopKernel(t.Context(), ann, s.KernelID); err != nil {
		t.Fatal(err)
	}
	_, err := w.Session(t.Context(), ann, s.ID)
	wantProblem(t, "Session()", err, problem.NotFound)
	eventually(t, "it is not stored any more", func() bool { return w.stored() == 0 })
}

func TestSessionsWhoseKernelsEndedMeanwhileAreForgotten(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.close()
	for i := range 300 {
		value := []byte(`{"owner":"ann","path":"x","kernel_id":"` + uuid.NewString() + `"}`)
		if i == 0 {
			value = []byte("{") // cannot be read, and stays
		}
		if _, err := w.storage.Apply(t.Context(), storage.Put("notebook-sessions/demo/"+uuid.NewString(), value)); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	eventually(t, "they are forgotten", func() bool { return w.stored() == 1 })
}

func TestManyWhoOpenOneNotebookGetOneKernel(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ids := make([]string, 6)
	var opening sync.WaitGroup
	for i := range ids {
		opening.Go(func() {
			if s, err := w.CreateSession(t.Context(), ann, notebook("a.ipynb")); err == nil {
				ids[i] = s.ID
			}
		})
	}
	opening.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("sessions = %q, want one", ids)
			break
		}
	}
	if all, err := w.Kernels(t.Context(), ann); err != nil || len(all) != 1 {
		t.Errorf("Kernels() = %v, %v, want one", all, err)
	}
}

// full refuses writes of sessions while it is told to.
type full struct {
	storage.Backend
	on atomic.Bool
}

func (f *full) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if f.on.Load() && strings.HasPrefix(ops[0].Key, "notebook-sessions/") {
		return 0, storage.ErrFull
	}
	return f.Backend.Apply(ctx, ops...)
}

func TestSessionThatCannotBeStoredLeavesTheKernelsAsTheyWere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	f := &full{Backend: w.storage}
	w.storage = f
	w.restart()
	own := w.start(ann, kernels.StartRequest{})
	s := w.session(ann, notebook("b.ipynb"))
	f.on.Store(true)
	for name, req := range map[string]kernels.SessionRequest{
		"with a new kernel": notebook("a.ipynb"),
		"with a given one":  {Path: "a.ipynb", Type: "notebook", KernelID: own.ID},
	} {
		if _, err := w.CreateSession(t.Context(), ann, req); !errors.Is(err, storage.ErrFull) {
			t.Errorf("%s: CreateSession() = %v, want that storage is full", name, err)
		}
	}
	if _, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{KernelSpec: "python3"}); !errors.Is(err, storage.ErrFull) {
		t.Errorf("UpdateSession() = %v, want that storage is full", err)
	}
	f.on.Store(false)
	all, err := w.Kernels(t.Context(), ann)
	if err != nil || len(all) != 2 || all[0].ID != own.ID || all[1].ID != s.KernelID {
		t.Errorf("Kernels() = %v, %v, want the two that were there", all, err)
	}
}

func TestBadSessionsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s := w.session(ann, notebook("a.ipynb"))
	long := strings.Repeat("x", 5000)
	for _, req := range []kernels.SessionRequest{{Path: long}, {Path: "b", Name: long}, {Path: "b", Type: "\x00"}} {
		_, err := w.CreateSession(t.Context(), ann, req)
		wantProblem(t, fmt.Sprintf("CreateSession(%.10q)", req), err, problem.Invalid)
	}
	_, err := w.UpdateSession(t.Context(), ann, s.ID, kernels.SessionPatch{Path: &long})
	wantProblem(t, "UpdateSession()", err, problem.Invalid)
	_, err = w.CreateSession(t.Context(), ann, kernels.SessionRequest{Path: "b", Type: "notebook", KernelID: "none"})
	wantProblem(t, "CreateSession() with a kernel that is not there", err, problem.NotFound)
}

func TestTerminalsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	start := func(who kernels.Who, name string) kernels.Terminal {
		t.Helper()
		term, err := w.StartTerminal(t.Context(), who, name, "")
		if err != nil {
			t.Fatal(err)
		}
		return term
	}
	var names []string
	var starting sync.WaitGroup
	var mu sync.Mutex
	for range 3 {
		starting.Go(func() {
			term, err := w.StartTerminal(t.Context(), ann, "", "")
			mu.Lock()
			defer mu.Unlock()
			if names = append(names, term.Name); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	if all, err := w.Terminals(t.Context(), ann); err != nil || len(all) != 3 {
		t.Errorf("Terminals() = %v, %v, want 3", all, err)
	}
	for _, want := range []string{"1", "2", "3"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("names = %q, want 1, 2, 3", names)
		}
	}
	if term := start(bob, ""); term.Name != "1" {
		t.Errorf("bob's first terminal = %q, want 1", term.Name)
	}
	start(ann, "work")
	if err := w.StopTerminal(t.Context(), ann, "2"); err != nil {
		t.Fatal(err)
	}
	_, err := w.Terminal(t.Context(), ann, "2")
	wantProblem(t, "Terminal() after its end", err, problem.NotFound)
	if term := start(ann, ""); term.Name != "2" {
		t.Errorf("next terminal = %q, want 2 again", term.Name)
	}
	for _, name := range []string{"a b", "../x", "ü/", strings.Repeat("x", 65)} {
		_, err := w.StartTerminal(t.Context(), ann, name, "")
		wantProblem(t, "StartTerminal("+name+")", err, problem.Invalid)
	}
	wantProblem(t, "StopTerminal() of another's", w.StopTerminal(t.Context(), bob, "work"), problem.NotFound)
}

func TestTerminalTalksUntilItsShellEnds(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, err := w.StartTerminal(t.Context(), ann, "1", ""); err != nil {
		t.Fatal(err)
	}
	c, err := w.AttachTerminal(t.Context(), ann, "1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, frame := range []string{
		`not a frame`, `[]`, `["stdin"]`, `["set_size",1]`, `["set_size",-5,"x"]`, `["dance"]`, `{}`, // all refused
		`["set_size",40,132,0,0]`, `["stdin","stty size; echo user=$USER $((6*7)) h\u00e9; exit\r"]`,
	} {
		if err := c.Input([]byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	timer := time.AfterFunc(patience, func() { _ = c.Close() })
	defer timer.Stop()
	var screen strings.Builder
	for {
		ev, _, err := c.Next(func() []byte { return nil })
		if err != nil {
			break
		}
		for b := ev.Records; len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			var frame [2]string
			if err := json.Unmarshal(r.Body, &frame); err != nil || frame[0] != "stdout" {
				t.Fatalf("record %q", r.Body)
			}
			screen.WriteString(frame[1])
		}
	}
	for _, want := range []string{"40 132\r\n", "user=ann 42 hé\r\n", "exit\r\n"} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("screen = %q, want %q", screen.String(), want)
		}
	}
	eventually(t, "the terminal is gone", func() bool {
		_, err := w.Terminal(t.Context(), ann, "1")
		return problem.Is(err, problem.NotFound)
	})
}
