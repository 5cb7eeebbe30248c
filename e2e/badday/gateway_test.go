//go:build e2e

package badday_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/testkernel"
)

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

var binary, kernelProgram string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "badday-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if binary, err = filepath.Abs(os.Getenv("HOPYARD")); err != nil || os.Getenv("HOPYARD") == "" {
		fmt.Fprintln(os.Stderr, "HOPYARD must name the binary to test")
		return 1
	}
	if kernelProgram, err = testkernel.Build(context.Background(), dir); err != nil {
		panic(err)
	}
	return m.Run()
}

// gateway is a running hopyard with a data directory of its own.
type gateway struct {
	t     *testing.T
	data  string
	url   string
	token string
	cmd   *exec.Cmd
	log   *logged
	// inside is the program that starts the gateway in its place, with its arguments; empty for none.
	inside []string
	// orphans are the builders that a gateway which was killed had kept ready: nobody gives them an order any more.
	orphans []string
}

// start serves an empty data directory. It has the kernelspecs python3, test (a kernel that does what it is told) and dead (one
// that ends at once).
func start(t *testing.T) *gateway {
	t.Helper()
	g := newGateway(t)
	g.config(map[string]any{"prepared": os.Getenv("HOPYARD_TEST_PREPARED")})
	g.first()
	return g
}

// newGateway makes a data directory, which is removed with all that runs from it when the test ends.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	data, err := os.MkdirTemp("", "hopyard-bad-") // short: sockets are below it
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, data: data, log: &logged{}}
	t.Cleanup(g.cleanUp)
	return g
}

// first serves for the first time.
func (g *gateway) first() {
	g.t.Helper()
	g.serve()
	token, err := os.ReadFile(filepath.Join(g.data, "bootstrap", "admin.token"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.token = strings.TrimSpace(string(token))
}

// config writes the configuration, with our kernelspecs.
func (g *gateway) config(settings map[string]any) {
	g.t.Helper()
	for name, argv := range map[string][]string{
		"test": {kernelProgram, "-f", "{connection_file}"},
		"dead": {kernelProgram, "-die", "libsomething.so: cannot open shared object file", "-f", "{connection_file}"},
	} {
		spec, _ := json.Marshal(map[string]any{"argv": argv, "display_name": name, "language": "test"})
		g.write(filepath.Join("specs", name, "kernel.json"), spec)
	}
	settings["kernelspecs"] = []string{filepath.Join(g.data, "specs")}
	config, _ := json.Marshal(settings) // JSON is YAML
	g.write("config.yaml", config)
}

func (g *gateway) write(name string, text []byte) {
	path := filepath.Join(g.data, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600)); err != nil {
		g.t.Fatal(err)
	}
}

// anyAddress is a free address whose port is below those that the system gives away: nobody takes it while its gateway is dead.
func anyAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
}

// serve starts the gateway and waits until it is ready. From the second time on it takes the port that it had.
func (g *gateway) serve() {
	g.t.Helper()
	var listen string
	if u, err := url.Parse(g.url); err == nil && u.Host != "" {
		listen = u.Host
	} else {
		listen = anyAddress(g.t)
	}
	args := append(slices.Clone(g.inside), binary, "serve", "--data", g.data, "--listen", listen, "--demo", "--config", filepath.Join(g.data, "config.yaml"))
	g.cmd = exec.Command(args[0], args[1:]...)
	g.cmd.Stderr = g.log
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			if g.url == "" { // it stays, and others read it
				g.url = strings.TrimSuffix(address, "/")
			}
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	g.t.Fatalf("serve ended: %s", g.log)
}

// kill ends the gateway as a power cut would.
func (g *gateway) kill() {
	g.t.Helper()
	if err := g.cmd.Process.Kill(); err != nil {
		g.t.Fatal(err)
	}
	_ = g.cmd.Wait()
	g.orphans, _ = filepath.Glob(g.store("work", "standby-*"))
}

func (g *gateway) stop() ([]byte, error) {
	return exec.Command(binary, "stop", "--data", g.data).CombinedOutput()
}

func (g *gateway) cleanUp() {
	defer removeAll(g.data)
	if g.cmd == nil || g.cmd.Process == nil { // it never ran
		return
	}
	if out, err := g.stop(); err != nil {
		g.t.Errorf("stop: %v: %s", err, out)
	}
	if g.cmd.ProcessState == nil {
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		_ = g.cmd.Wait()
	}
	if g.t.Failed() {
		g.t.Logf("the gateway said:\n%s", g.log)
	}
}

// removeAll removes a folder with sealed environments in it, whose folders nobody may change.
func removeAll(folder string) {
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	_ = os.RemoveAll(folder)
}

const jupyter = "/p/demo/jupyter"

// ask makes a request as the admin and reads its answer into answer, if there is one and somebody wants it.
func (g *gateway) ask(method, path string, body, answer any) int {
	g.t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+g.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(got, answer); err != nil {
			g.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, got)
		}
	}
	return res.StatusCode
}

// model is a kernel as Jupyter's clients see it.
type model struct {
	ID     string `json:"id"`
	State  string `json:"execution_state"`
	Reason string `json:"reason"`
}

func (g *gateway) startKernel(spec string) string {
	g.t.Helper()
	var k model
	if status := g.ask("POST", jupyter+"/api/kernels", map[string]string{"name": spec}, &k); status != http.StatusCreated {
		g.t.Fatalf("a kernel of %s: %d", spec, status)
	}
	return k.ID
}

func (g *gateway) kernels() []model {
	g.t.Helper()
	var all []model
	g.ask("GET", jupyter+"/api/kernels", nil, &all)
	return all
}

// eventually waits for what nobody signals.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	within(t, patience, what, ask)
}

func within(t *testing.T, limit time.Duration, what string, ask func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ask(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// alive reports whether the process is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return len(after) > 0 && after[0] != 'Z'
}

// logged is what a process has written to its standard error.
type logged struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
