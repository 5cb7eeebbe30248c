package testkernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/testkernel"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/kernels/zmq"
)

func TestACellPublishesItsOutputsBetweenBusyAndIdle(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"ipc", "tcp"} {
		k := connected(t, transport, here(t))
		k.execute("1")
		k.expect(wire.IOPub, "status")
		if in := k.expect(wire.IOPub, "execute_input"); in["code"] != "1" || in["execution_count"] != 2.0 {
			t.Errorf("execute_input %v", in)
		}
		if out := k.expect(wire.IOPub, "execute_result"); fmt.Sprint(out["data"]) != "map[text/plain:1]" {
			t.Errorf("execute_result %v", out)
		}
		if idle := k.expect(wire.IOPub, "status"); idle["execution_state"] != "idle" {
			t.Errorf("status %v", idle)
		}
		if reply := k.expect(wire.Shell, "execute_reply"); reply["status"] != "ok" || reply["execution_count"] != 2.0 {
			t.Errorf("reply %v", reply)
		}
	}
}

func TestCodeDoesWhatItSays(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	for code, want := range map[string]string{
		"echo a \"b\"":      `stream {"name":"stdout","text":"a \"b\"\n"} ok`,
		"stderr oh":         `stream {"name":"stderr","text":"oh\n"} ok`,
		"flood 2":           `stream {"name":"stdout","text":"0\n"} stream {"name":"stdout","text":"1\n"} ok`,
		"flood 1 6":         `stream {"name":"stdout","text":"0    \n"} ok`,
		"tick 2 1":          `stream {"name":"stdout","text":"0\n"} stream {"name":"stdout","text":"1\n"} ok`,
		"sleep 1":           `ok`,
		"display 3":         `display_data {"data":{"text/plain":"xxx"},"metadata":{}} ok`,
		"error bad":         `error {"ename":"RuntimeError","evalue":"bad","traceback":["RuntimeError: bad"]} error`,
		"env " + beKernel:   `execute_result {"data":{"text/plain":"1"},"execution_count":0,"metadata":{}} ok`,
		"what is this? ":    `execute_result {"data":{"text/plain":"what is this?"},"execution_count":0,"metadata":{}} ok`,
		"  \n":              `ok`,
		"flood 0\n":         `ok`,
		"tick nonsense -12": `ok`,
	} {
		lines, status := k.outputs(code)
		if got := strings.Join(append(lines, status), " "); maskCount(got) != maskCount(want) {
			t.Errorf("%s:\n got %s\nwant %s", code, got, want)
		}
	}
	k.execute("buffer 1000")
	for {
		if kind, m := k.recv(wire.IOPub); kind == "display_data" {
			if len(m.Buffers) != 1 || len(m.Buffers[0]) != 1000 {
				t.Errorf("%d buffers", len(m.Buffers))
			}
			return
		}
	}
}

// maskCount takes the number of the cell out, which depends on the order of a map.
func maskCount(s string) string {
	before, after, found := strings.Cut(s, `"execution_count":`)
	if !found {
		return s
	}
	_, after, _ = strings.Cut(after, ",")
	return before + after
}

func TestEveryKindOfRequestIsAnswered(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	for _, kind := range []string{"kernel_info", "complete", "inspect", "history", "comm_info", "is_complete"} {
		k.request(wire.Shell, kind+"_request", "{}")
		if reply := k.expect(wire.Shell, kind+"_reply"); kind != "is_complete" && reply["status"] != "ok" {
			t.Errorf("%s: %v", kind, reply)
		}
		k.published()
	}
}

func TestAFloodLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 50_000
	k := connected(t, "ipc", here(t))
	k.execute(fmt.Sprintf("flood %d", n))
	k.waitFor("execute_input")
	for i := range n {
		if _, m := k.recv(wire.IOPub); string(m.Content) != fmt.Sprintf(`{"name":"stdout","text":"%d\n"}`, i) {
			t.Fatalf("message %d is %s", i, m.Content)
		}
	}
	k.expect(wire.IOPub, "status")
	k.expect(wire.Shell, "execute_reply")
}

func TestSignalAndMessageInterruptWhatRuns(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	for name, interrupt := range map[string]func(){
		"signal":  func() { k.cmd.Process.Signal(syscall.SIGINT) },
		"message": func() { k.request(wire.Control, "interrupt_request", "{}") },
	} {
		for _, code := range []string{"sleep 100000", "tick 100000 10", "flood 100000000", "input ?"} {
			k.execute(code)
			id := k.last
			k.waitFor("execute_input")
			interrupt()
			k.last = id
			if lines := k.published(); !strings.Contains(fmt.Sprint(lines), "KeyboardInterrupt") {
				t.Errorf("%s by %s published %.300q", code, name, lines)
			}
			if reply := k.expect(wire.Shell, "execute_reply"); reply["status"] != "error" {
				t.Errorf("%s by %s: %v", code, name, reply)
			}
		}
	}
	if _, status := k.outputs("1"); status != "ok" {
		t.Error("nothing runs after the interrupts")
	}
}

func (k *kernel) waitFor(kind string) {
	k.t.Helper()
	for {
		if got, _ := k.recv(wire.IOPub); got == kind {
			return
		}
	}
}

func TestInputAsksTheClientThatSentTheCell(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	k.execute("input Name?")
	id := k.last
	if ask := k.expect(wire.Stdin, "input_request"); ask["prompt"] != "Name?" {
		t.Errorf("asked %v", ask)
	}
	k.request(wire.Stdin, "input_reply", `{"value":"Ann"}`)
	k.last = id
	if lines := k.published(); len(lines) != 1 || !strings.Contains(lines[0], `Ann\n`) {
		t.Errorf("published %v", lines)
	}
	k.expect(wire.Shell, "execute_reply")
	k.request(wire.Shell, "execute_request", `{"code":"input x","allow_stdin":false}`)
	if reply := k.expect(wire.Shell, "execute_reply"); reply["ename"] != "StdinNotImplementedError" {
		t.Errorf("without stdin: %v", reply)
	}
}

func TestForgedAndRepeatedMessagesAreNotServed(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	m := wire.Message{Header: wire.NewHeader("twice", "execute_request", "s", "u", time.Now()), Content: []byte(`{"code":"echo x"}`)}
	forged := wire.NewSigner([]byte("another key")).AppendFrames(nil, m)
	honest := k.signer.AppendFrames(nil, m)
	for _, frames := range [][][]byte{forged, honest, honest, {[]byte("nonsense")}} {
		if err := k.open[wire.Shell].Send(frames); err != nil {
			t.Fatal(err)
		}
	}
	k.last = "twice"
	k.expect(wire.Shell, "execute_reply")
	k.request(wire.Shell, "kernel_info_request", "{}")
	k.expect(wire.Shell, "kernel_info_reply")
}

func TestHugeAndGarbageEndTheChannelWithAnError(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"huge 8589934592": zmq.ErrTooBig, "huge 4611686018427387904": zmq.ErrTooBig, "garbage": zmq.ErrProtocol} {
		k := connected(t, "ipc", here(t))
		k.execute(code)
		var err error
		for err == nil {
			_, err = k.open[wire.IOPub].Recv()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", code, err, want)
		}
	}
}

func TestTheProcessEndsAsItIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(*kernel)
		code int
		says string
	}{
		"shutdown": {func(k *kernel) {
			k.request(wire.Control, "shutdown_request", `{"restart":false}`)
			k.expect(wire.Control, "shutdown_reply")
		}, 0, ""},
		"die":     {func(k *kernel) { k.execute("die 3 out of luck") }, 3, "out of luck"},
		"SIGTERM": {func(k *kernel) { k.cmd.Process.Signal(syscall.SIGTERM) }, -1, ""},
	} {
		k := connected(t, "ipc", here(t))
		test.end(k)
		k.cmd.Wait()
		if code := k.cmd.ProcessState.ExitCode(); code != test.code || !strings.Contains(k.stderr.String(), test.says) {
			t.Errorf("%s: exit code %d, stderr %q", name, code, k.stderr.String())
		}
		// The kernel has read all that came on iopub, the subscription: a socket that is closed with something unread is reset.
		var err error
		for err == nil {
			_, err = k.open[wire.IOPub].Recv()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: iopub %v, want EOF", name, err)
		}
	}
}

func TestAHungKernelMustBeKilled(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t))
	k.execute("hang")
	k.waitFor("execute_input")
	// The cell is announced before it runs; the ignored signal shows that it does.
	for deadline := time.Now().Add(2 * time.Minute); !ignoresSIGTERM(t, k.cmd.Process.Pid); {
		if time.Now().After(deadline) {
			t.Fatal("SIGTERM is not ignored")
		}
	}
	k.cmd.Process.Signal(syscall.SIGTERM)
	k.request(wire.Control, "shutdown_request", "{}")
	k.cmd.Process.Kill()
	if k.cmd.Wait(); k.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("ended by %v", k.cmd.ProcessState)
	}
}

func ignoresSIGTERM(t *testing.T, pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "SigIgn:\t")
	var mask uint64
	fmt.Sscanf(after, "%x", &mask)
	return mask&(1<<(syscall.SIGTERM-1)) != 0
}

func TestDeathAtStartIsOnStderr(t *testing.T) {
	t.Parallel()
	k, _ := program(t, "ipc", here(t), "-die", "no such module")
	k.cmd.Wait()
	if k.cmd.ProcessState.ExitCode() != 1 || k.stderr.String() != "no such module\n" {
		t.Fatalf("%v, stderr %q", k.cmd.ProcessState, k.stderr.String())
	}
}

func TestADelayedKernelIsWaitedFor(t *testing.T) {
	t.Parallel()
	k := connected(t, "ipc", here(t), "-delay", "50ms")
	if _, status := k.outputs("1"); status != "ok" {
		t.Fatal(status)
	}
}

func TestTheHeartbeatEchoes(t *testing.T) {
	t.Parallel()
	_, where := program(t, "ipc", here(t))
	cfg := where["hb"]
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// A DEALER with an empty first frame is a REQ that may talk out of turn.
	hb, err := zmq.DialWhenReady(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer hb.Close()
	hb.Send([][]byte{nil, []byte("ping")})
	if frames, err := hb.Recv(); err != nil || len(frames) != 2 || string(frames[1]) != "ping" {
		t.Fatalf("%q, %v", frames, err)
	}
}

func TestBuildGivesAProgramThatRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles")
	}
	path, err := testkernel.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := exec.Command(path, "-die", "as told").CombinedOutput(); string(out) != "as told\n" {
		t.Fatalf("said %q", out)
	}
}
