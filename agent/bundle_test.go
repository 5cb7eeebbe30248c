package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/agent"
	"github.com/hopyard/hopyard/agent/journal"
	"github.com/hopyard/hopyard/internal/local"
	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/hopyard/hopyard/plugins/scheduling"
)

const patience = 2 * time.Minute

// TestMain lets the test binary be its own agents.
func TestMain(m *testing.M) {
	localtest.Main(m, map[string]localtest.Program{"agent": localtest.Agent(map[string]agent.Factory{"plain": newPlain})})
}

// plain is the bridge to a program that it does not talk with. It answers input itself: "all TEXT" becomes a record for
// everyone, "me TEXT" one for who sent it, "many N" N records for everyone, "no" is refused.
type plain struct{ host agent.Host }

func newPlain(h agent.Host) (agent.Bridge, error) {
	if len(h.Spec.Workload.Spec) > 0 {
		return nil, errors.New(string(h.Spec.Workload.Spec))
	}
	return plain{h}, nil
}

func (plain) Prepare(context.Context) (agent.Start, error) { return agent.Start{}, nil }
func (plain) Connect(context.Context) error                { return nil }

func (b plain) Input(_ context.Context, client string, body []byte) error {
	verb, rest, _ := strings.Cut(string(body), " ")
	switch verb {
	case "all":
		b.host.Sink.Emit(journal.Record{Body: []byte(rest)})
	case "me":
		b.host.Sink.Emit(journal.Record{To: client, Body: []byte(rest)})
	case "to": // a name that the program made up
		b.host.Sink.Emit(journal.Record{To: rest, Body: []byte("lost")}, journal.Record{Body: []byte("sent")})
	case "many":
		n, _ := strconv.Atoi(rest)
		for i := range n {
			b.host.Sink.Emit(journal.Record{Body: strconv.AppendInt(nil, int64(i), 10)})
		}
	default:
		return errors.New("refused")
	}
	return nil
}

func (plain) Interrupt(context.Context) error      { return agent.ErrUseSignal }
func (plain) Shutdown(context.Context, bool) error { return agent.ErrUseSignal }
func (plain) Lost(string, bool)                    {}
func (plain) Close() error                         { return nil }
func (plain) Cut(from, to uint64) []byte           { return fmt.Appendf(nil, "cut %d to %d", from, to) }

// forever is a program that goes on until it is ended.
const forever = `: > up; exec sleep 1000`

// program is a workload under test: a shell script in a folder of its own.
type program struct {
	t      testing.TB
	driver *local.Driver
	handle scheduling.Handle
	socket string
	dir    string // its working folder
}

// launch starts a script. It is stopped when the test ends, and nothing may be left.
func launch(t testing.TB, script string, change ...func(*scheduling.Workload)) *program {
	t.Helper()
	d, dir := localtest.Driver(t), t.TempDir()
	w := scheduling.Workload{
		ID: "w-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36), Kind: "plain", Argv: []string{"/bin/sh", "-c", script}, Dir: dir, Env: []string{"PATH=/usr/bin:/bin"},
	}
	for _, c := range change {
		c(&w)
	}
	h, err := d.Launch(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, driver: d, handle: h, dir: dir}
	t.Cleanup(func() { p.stop(0) })
	p.socket = strings.TrimPrefix(p.inspect().Address, "unix:")
	return p
}

func restarts(n int) func(*scheduling.Workload) {
	return func(w *scheduling.Workload) { w.Restarts = n }
}

func (p *program) stop(grace time.Duration) {
	p.t.Helper()
	if err := p.driver.Stop(context.Background(), p.handle, grace); err != nil {
		p.t.Errorf("Stop() = %v", err)
	}
}

func (p *program) inspect() scheduling.Status {
	p.t.Helper()
	s, err := p.driver.Inspect(context.Background(), p.handle)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// wait waits for the end.
func (p *program) wait() scheduling.Status {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	s, err := p.driver.Wait(ctx, p.handle)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// agentPID is the number of the agent's process.
func (p *program) agentPID() int {
	p.t.Helper()
	process, err := agent.ReadProcess(filepath.Join(filepath.Dir(p.socket), agent.AgentFile))
	if err != nil {
		p.t.Fatal(err)
	}
	return process.PID
}

// file waits until the program has written a file, and reads it.
func (p *program) file(name string) string {
	p.t.Helper()
	var b []byte
	eventually(p.t, name+" is written", func() bool {
		var err error
		b, err = os.ReadFile(filepath.Join(p.dir, name))
		return err == nil
	})
	return strings.TrimSpace(string(b))
}

// pids reads process numbers that the program wrote to a file.
func (p *program) pids(name string) (all []int) {
	p.t.Helper()
	for f := range strings.FieldsSeq(p.file(name)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// running says whether a process runs; remains that nobody has collected do not.
func running(pid int) bool { return agent.ProcessOf(pid).Started != 0 }

// attach opens an attachment and closes it when the test ends.
func (p *program) attach(hello agent.Hello) *agent.Conn {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	c, err := agent.Dial(ctx, p.socket, hello, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// watch opens a watcher whose replies are read, so that calls can be made on it.
func (p *program) watch() (*agent.Conn, <-chan agent.State) {
	p.t.Helper()
	c := p.attach(agent.Hello{Watch: true})
	states := make(chan agent.State, 1000)
	states <- c.Welcome.State
	go func() {
		defer close(states)
		for {
			ev, _, err := c.Next(noBuffer)
			if err != nil {
				return
			}
			if ev.State != nil {
				states <- *ev.State
			}
		}
	}()
	return c, states
}

func noBuffer() []byte { return nil }

// until reads states until one that is wanted.
func until(t testing.TB, states <-chan agent.State, what string, want func(agent.State) bool) agent.State {
	t.Helper()
	var last agent.State
	for limit := time.After(patience); ; {
		select {
		case s, ok := <-states:
			if !ok {
				t.Fatalf("the watcher ended before %s; the last state was %+v", what, last)
			}
			if last = s; want(s) {
				return s
			}
		case <-limit:
			t.Fatalf("no %s; the last state was %+v", what, last)
		}
	}
}

func phase(want agent.Phase) func(agent.State) bool {
	return func(s agent.State) bool { return s.Phase == want }
}

// read reads records until n have come, and gives them as "seq body".
func read(t testing.TB, c *agent.Conn, n int) (got []string) {
	t.Helper()
	timer := time.AfterFunc(patience, func() { _ = c.Close() })
	defer timer.Stop()
	for len(got) < n {
		ev, _, err := c.Next(noBuffer)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		if ev.Notice != nil {
			got = append(got, string(ev.Notice))
		}
		for b := bytes.Clone(ev.Records); len(b) > 0; {
			var r journal.Record
			if r, b, err = journal.Decode(b); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d %s", r.Seq, r.Body))
		}
	}
	return got
}

func say(t testing.TB, c *agent.Conn, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := c.Input([]byte(text)); err != nil {
			t.Fatal(err)
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
