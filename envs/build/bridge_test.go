package build_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// sink hears the activity of a program.
type sink chan string

func (sink) Emit(...journal.Record)          {}
func (s sink) Activity(state string, _ bool) { s <- state }

func TestBridgeTellsThePhase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	spec, err := json.Marshal(build.Spec{Events: path})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(sink, 10)
	var signaled os.Signal
	b, err := build.NewBridge(agent.Host{
		Spec: agent.Spec{Workload: scheduling.Workload{Kind: build.Kind, Spec: spec}}, Sink: heard,
		Signal: func(s os.Signal) error { signaled = s; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Connect(t.Context()); err != nil { // before there is a file
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, phase := range []string{"fetch", "link"} {
		line := `{"seq":1,"type":"state","phase":"` + phase + "\"}\n"
		if _, err := f.WriteString(line + `{"seq":2,"type":"log","phase":"fin`); err != nil { // half a line does not count
			t.Fatal(err)
		}
		if got := <-heard; got != phase {
			t.Errorf("activity = %q, want %q", got, phase)
		}
		if _, err := f.WriteString("ish\"}\n"); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != "finish" {
			t.Errorf("activity = %q, want finish", got)
		}
	}
	if err := b.Shutdown(t.Context(), false); err != nil || signaled != syscall.SIGTERM {
		t.Errorf("shutdown sent %v, %v", signaled, err)
	}
	if err := b.Input(context.Background(), "tab", nil); err == nil {
		t.Error("a build takes input")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBridgeWithoutASpecIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := build.NewBridge(agent.Host{}); err == nil {
		t.Error("a bridge without a spec was made")
	}
}
