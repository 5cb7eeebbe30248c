package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/kernels/bridge"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

// TestMain lets the test binary be its own agent.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{"agent": localtest.Agent(map[string]agent.Factory{bridge.Kind: bridge.New})})
}

// python finds an interpreter that has ipykernel.
func python(t *testing.T) string {
	t.Helper()
	for _, p := range []string{os.Getenv("HOPYARD_TEST_PYTHON"), "python3"} {
		if p == "" {
			continue
		}
		if path, err := exec.LookPath(p); err == nil && exec.CommandContext(t.Context(), path, "-c", "import ipykernel").Run() == nil {
			return path
		}
	}
	t.Skip("no Python with ipykernel; set HOPYARD_TEST_PYTHON to one")
	return ""
}

// kernel is a workload under test.
type kernel struct {
	t      *testing.T
	driver *local.Driver
	handle scheduling.Handle
	home   string // its working folder
	sock   string
}

func start(t *testing.T, argv ...string) *kernel {
	t.Helper()
	return startWith(t, bridge.Spec{Username: "ann"}, argv...)
}

func startWith(t *testing.T, spec bridge.Spec, argv ...string) *kernel {
	t.Helper()
	home := t.TempDir() // before the driver: it is removed after the kernel has ended
	d := localtest.Driver(t)
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	h, err := d.Launch(t.Context(), scheduling.Workload{
		ID: uuid.NewString(), Kind: bridge.Kind, Argv: argv, Dir: home, Restarts: 5, Spec: text,
		Env: []string{"PATH=/usr/bin:/bin", "HOME=" + home, "IPYTHONDIR=" + home},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(context.Background(), h, time.Second); err != nil {
			t.Error(err)
		}
	})
	st, err := d.Inspect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return &kernel{t: t, driver: d, handle: h, home: home, sock: strings.TrimPrefix(st.Address, "unix:")}
}

func ipykernel(t *testing.T) *kernel {
	t.Helper()
	return start(t, python(t), bridge.Launcher, "-f", bridge.ConnectionFile)
}

// client is one attached client.
type client struct {
	t   *testing.T
	c   *agent.Conn
	key string
	n   int
}

func (k *kernel) attach(key string) *client {
	k.t.Helper()
	c, err := agent.Dial(k.t.Context(), k.sock, agent.Hello{Client: key}, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.Close() })
	return &client{t: k.t, c: c, key: key}
}

func (c *client) execute(code string) string {
	c.t.Helper()
	c.n++
	id := fmt.Sprintf("%s-%d-%d", c.key, c.n, time.Now().UnixNano())
	content, _ := json.Marshal(map[string]any{"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": true, "stop_on_error": true})
	m := wire.Message{Channel: wire.Shell, Header: wire.NewHeader(id, "execute_request", c.key, "test", time.Now()), Content: content}
	if err := c.c.Input(wire.AppendV1(nil, m)); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// message is a received message with its place in the journal.
type message struct {
	seq     uint64
	gen     uint32
	channel string
	typ     string
	parent  string
	content map[string]any
}

// until reads messages until stop says so, and returns them all.
func (c *client) until(stop func(message) bool) []message {
	c.t.Helper()
	var all []message
	timer := time.AfterFunc(3*time.Minute, func() { _ = c.c.Close() })
	defer timer.Stop()
	for {
		ev, _, err := c.c.Next(func() []byte { return nil })
		if err != nil {
			c.t.Fatalf("%v after %d messages: %v", err, len(all), all)
		}
		for b := ev.Records; len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				c.t.Fatal(err)
			}
			m, err := wire.ParseV1(r.Body)
			if err != nil {
				c.t.Fatal(err)
			}
			got := message{seq: r.Seq, gen: r.Gen, channel: m.Channel}
			_, got.typ, _, _ = wire.Head(m.Header)
			got.parent, _, _, _ = wire.Head(m.Parent)
			_ = json.Unmarshal(m.Content, &got.content)
			all = append(all, got)
			if stop(got) {
				return all
			}
		}
	}
}

// done waits for both ends of an execution: the reply and idle.
func done(id string) func(message) bool {
	idle, replied := false, false
	return func(m message) bool {
		if m.parent == id {
			idle = idle || m.typ == "status" && m.content["execution_state"] == "idle"
			replied = replied || m.typ == "execute_reply"
		}
		return idle && replied
	}
}

func stdout(msgs []message) string {
	var s strings.Builder
	for _, m := range msgs {
		if m.typ == "stream" {
			fmt.Fprint(&s, m.content["text"])
		}
	}
	return s.String()
}

func TestIPykernelRunsACell(t *testing.T) {
	t.Parallel()
	c := ipykernel(t).attach("tab")
	got := c.until(done(c.execute("print('hello'); 6*7")))
	if s := stdout(got); s != "hello\n" {
		t.Errorf("stdout = %q, want hello", s)
	}
	for i := 1; i < len(got); i++ {
		if got[i].seq <= got[i-1].seq {
			t.Errorf("sequence %d follows %d", got[i].seq, got[i-1].seq)
		}
	}
}

func TestIPykernelLosesNothingOfAFlushedFlood(t *testing.T) {
	t.Parallel()
	c := ipykernel(t).attach("tab")
	const n = 20000
	got := stdout(c.until(done(c.execute(fmt.Sprintf("for i in range(%d): print(i, flush=True)", n)))))
	var want strings.Builder
	for i := range n {
		fmt.Fprintln(&want, i)
	}
	if got != want.String() {
		t.Errorf("%d bytes of output, want %d, the same in order", len(got), want.Len())
	}
}

func TestClientThatComesBackGetsWhatItMissedOnce(t *testing.T) {
	t.Parallel()
	k := ipykernel(t)
	c := k.attach("tab")
	id := c.execute("import time\nfor i in range(30): print('tick%d' % i, flush=True); time.sleep(.02)")
	first := c.until(func(m message) bool { return strings.Contains(stdout([]message{m}), "tick5") })
	if err := c.c.Delivered(first[len(first)-1].seq); err != nil {
		t.Fatal(err)
	}
	_ = c.c.Close()
	c = k.attach("tab")
	ended := done(id)
	for _, m := range first { // the reply comes on a channel of its own, and may have overtaken what was said before it
		ended(m)
	}
	rest := c.until(ended)
	all := stdout(append(first, rest...))
	var want strings.Builder
	for i := range 30 {
		fmt.Fprintf(&want, "tick%d\n", i)
	}
	if all != want.String() {
		t.Errorf("got %q, want every tick once, in order", all)
	}
}

func TestRepliesGoOnlyToTheClientThatAsked(t *testing.T) {
	t.Parallel()
	k := ipykernel(t)
	a, b := k.attach("a"), k.attach("b")
	id := a.execute("print('for all')")
	a.until(done(id))
	mine := b.execute("1")
	for _, m := range b.until(done(mine)) {
		if m.parent == id && m.typ == "execute_reply" {
			t.Error("b got a's reply")
		}
	}
}

func TestInterruptStopsALoop(t *testing.T) {
	t.Parallel()
	k := ipykernel(t)
	c := k.attach("tab")
	id := c.execute("print('in', flush=True)\nwhile True: pass")
	c.until(func(m message) bool { return m.typ == "stream" })
	if err := k.driver.Signal(t.Context(), k.handle, scheduling.SignalInterrupt); err != nil {
		t.Fatal(err)
	}
	got := c.until(done(id))
	if last := got[len(got)-1]; last.content["ename"] == nil && stdout(got) == "" {
		for _, m := range got {
			if m.typ == "error" && m.content["ename"] == "KeyboardInterrupt" {
				return
			}
		}
		t.Errorf("no KeyboardInterrupt in %v", got)
	}
}

func TestKernelThatDiesComesBackWithANewGeneration(t *testing.T) {
	t.Parallel()
	c := ipykernel(t).attach("tab")
	c.until(done(c.execute("x = 1")))
	c.execute("import os; os._exit(3)")
	c.until(func(m message) bool { return m.typ == "status" && m.content["execution_state"] == "restarting" })
	got := c.until(done(c.execute("print('x' in globals())")))
	if s := stdout(got); s != "False\n" || got[len(got)-1].gen != 2 {
		t.Errorf("stdout %q in generation %d, want False in 2", s, got[len(got)-1].gen)
	}
}

func TestKernelThatDiesAtStartLeavesItsLastWords(t *testing.T) {
	t.Parallel()
	k := start(t, "/bin/sh", "-c", "echo no such module >&2; exit 1")
	c, err := agent.Dial(t.Context(), k.sock, agent.Hello{Watch: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st := c.Welcome.State
	for st.Phase != agent.Dead {
		ev, _, err := c.Next(func() []byte { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if ev.State != nil {
			st = *ev.State
		}
	}
	if !strings.Contains(st.Reason, "no such module") || !strings.Contains(st.Reason, "code 1") {
		t.Errorf("reason %q, want the exit code and the last words", st.Reason)
	}
}
