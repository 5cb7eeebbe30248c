package testkernel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/testkernel"
	"github.com/hopyard/hopyard/kernels/wire"
	"github.com/hopyard/hopyard/kernels/zmq"
)

// beKernel makes the test's own binary the kernel's program.
const beKernel = "HOPYARD_TEST_BE_KERNEL"

func TestMain(m *testing.M) {
	if os.Getenv(beKernel) != "" {
		os.Exit(testkernel.Main(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

const key = "the kernel's key"

// ports are those of the test's connection files, for ipc.
var ports = map[string]int{wire.Shell: 1, wire.IOPub: 2, wire.Stdin: 3, wire.Control: 4, "hb": 5}

// kernel is a running kernel and a client of it.
type kernel struct {
	t      testing.TB
	cmd    *exec.Cmd
	stderr strings.Builder
	signer *wire.Signer
	open   map[string]*zmq.Channel
	sent   int
	last   string // msg_id of the last request
}

// program starts path as a kernel whose sockets are in a folder of the test, or on a loopback address of its own.
func program(t testing.TB, transport, path string, args ...string) (*kernel, map[string]zmq.Config) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kernel") // t.TempDir may be too long for a socket's address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conn := map[string]any{"transport": transport, "ip": filepath.Join(dir, "kernel"), "key": key, "signature_scheme": "hmac-sha256"}
	if transport == "tcp" {
		conn["ip"] = loopback()
	}
	where := make(map[string]zmq.Config)
	for name, port := range ports {
		cfg := zmq.Config{Network: "unix", Addr: fmt.Sprintf("%s-%d", conn["ip"], port), Type: zmq.Dealer, Identity: "client"}
		if transport == "tcp" {
			port += 20_000
			cfg.Network, cfg.Addr = "tcp", fmt.Sprintf("%s:%d", conn["ip"], port)
		}
		if name == wire.IOPub {
			cfg.Type = zmq.Sub
		}
		conn[name+"_port"], where[name] = port, cfg
	}
	text, _ := json.Marshal(conn)
	file := filepath.Join(dir, "connection.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k := &kernel{t: t, signer: wire.NewSigner([]byte(key)), open: make(map[string]*zmq.Channel)}
	k.cmd = exec.Command(path, append([]string{"-f", file}, args...)...)
	k.cmd.Env = append(os.Environ(), beKernel+"=1")
	k.cmd.Stderr = &k.stderr
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		k.cmd.Process.Kill()
		k.cmd.Wait()
	})
	return k, where
}

// loopback is an address of this machine that nobody else uses: a port that is free on it stays free.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
}

// connected starts a kernel and waits until what it publishes is heard.
func connected(t testing.TB, transport, path string, args ...string) *kernel {
	t.Helper()
	k, where := program(t, transport, path, args...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, channel := range []string{wire.IOPub, wire.Shell, wire.Control, wire.Stdin} {
		ch, err := zmq.DialWhenReady(ctx, where[channel])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ch.Close)
		k.open[channel] = ch
	}
	k.nudge()
	k.outputs("") // reads on to where the nudges end
	return k
}

// nudge asks until something is published: only then has the kernel seen the subscription.
func (k *kernel) nudge() {
	k.t.Helper()
	heard := make(chan error, 1)
	go func() {
		_, err := k.open[wire.IOPub].Recv()
		heard <- err
	}()
	for {
		k.request(wire.Shell, "kernel_info_request", `{}`)
		k.expect(wire.Shell, "kernel_info_reply")
		select {
		case err := <-heard:
			if err != nil {
				k.t.Fatal(err)
			}
			return
		default:
		}
	}
}

func here(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (k *kernel) request(channel, kind, content string) {
	k.t.Helper()
	k.sent++
	k.last = fmt.Sprintf("request-%d", k.sent)
	m := wire.Message{Header: wire.NewHeader(k.last, kind, "session", "ann", time.Now()), Content: []byte(content)}
	if err := k.open[channel].Send(k.signer.AppendFrames(nil, m)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kernel) recv(channel string) (kind string, m wire.Message) {
	k.t.Helper()
	frames, err := k.open[channel].Recv()
	if err != nil {
		k.t.Fatalf("%s: %v; kernel said %s", channel, err, k.stderr.String())
	}
	m, err = k.signer.FromFrames(frames, channel)
	if err != nil {
		k.t.Fatal(err)
	}
	_, kind, _, err = wire.Head(m.Header)
	if err != nil {
		k.t.Fatal(err)
	}
	return kind, m
}

// expect returns the content of the next message, which must be of that kind and an answer to the last request.
func (k *kernel) expect(channel, kind string) map[string]any {
	k.t.Helper()
	got, m := k.recv(channel)
	parent, _, _, err := wire.Head(m.Parent)
	if err != nil || got != kind || parent != k.last {
		k.t.Fatalf("%s: %s to %s, want %s to %s: %s", channel, got, parent, kind, k.last, m.Content)
	}
	var content map[string]any
	if err := json.Unmarshal(m.Content, &content); err != nil {
		k.t.Fatal(err)
	}
	return content
}

func (k *kernel) execute(code string) {
	k.t.Helper()
	text, _ := json.Marshal(map[string]any{"code": code, "allow_stdin": true})
	k.request(wire.Shell, "execute_request", string(text))
}

// outputs executes code and returns what it published between execute_input and idle, a line each, and the reply's
// status.
func (k *kernel) outputs(code string) (lines []string, status string) {
	k.t.Helper()
	k.execute(code)
	lines = k.published()
	return lines, fmt.Sprint(k.expect(wire.Shell, "execute_reply")["status"])
}

// published reads iopub up to the idle of the last request.
func (k *kernel) published() (lines []string) {
	k.t.Helper()
	for {
		kind, m := k.recv(wire.IOPub)
		if parent, _, _, _ := wire.Head(m.Parent); parent != k.last {
			continue
		}
		switch {
		case kind == "status" && strings.Contains(string(m.Content), "idle"):
			return lines
		case kind != "status" && kind != "execute_input":
			lines = append(lines, kind+" "+string(m.Content))
		}
	}
}
