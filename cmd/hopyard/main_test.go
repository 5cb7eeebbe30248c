package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/local/localtest"
	"github.com/spf13/cobra"
)

// The test binary is the program as well: with this variable, and as what a gateway starts of itself, it runs main.
const asProgram = "HOPYARD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" || len(os.Args) > 1 && slices.Contains([]string{"agent", "build"}, os.Args[1]) {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what should take a moment.
const patience = 2 * time.Minute

// hopyard gives a command that is not started yet. Its cache is empty.
func hopyard(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "XDG_CACHE_HOME="+t.TempDir())
	return cmd
}

// served is a running `hopyard serve`.
type served struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	url  string
	link string
	log  *lines
}

// lines are what a program that runs has written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// dataFolder is for a data directory: its path is short enough for the sockets of programs, so that nothing is anywhere else.
func dataFolder(t *testing.T) string {
	t.Helper()
	return localtest.RunDir(t)
}

// start serves dir offline, with nothing prepared, and waits for its two lines.
func start(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	g := &served{t: t, dir: dir, log: &lines{}}
	g.cmd = hopyard(t, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--offline", "--demo"}, args...)...)
	g.cmd.Stderr = g.log
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before its folder is removed, in which it writes
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
	})
	watchdog := time.AfterFunc(patience, func() { _ = g.cmd.Process.Kill() })
	defer watchdog.Stop()
	said := bufio.NewReader(out)
	g.url = strings.TrimSuffix(word(t, said, "ready ", g.log), "/")
	g.link = word(t, said, "login ", g.log)
	return g
}

func word(t *testing.T, said *bufio.Reader, prefix string, log *lines) string {
	t.Helper()
	line, err := said.ReadString('\n')
	value, ok := strings.CutPrefix(strings.TrimSpace(line), prefix)
	if err != nil || !ok {
		t.Fatalf("stdout has %q (%v), want %q; stderr: %s", line, err, prefix, log)
	}
	return value
}

// end sends a signal and gives the exit code.
func (g *served) end(signal os.Signal) int {
	g.t.Helper()
	_ = g.cmd.Process.Signal(signal)
	_ = g.cmd.Wait()
	return g.cmd.ProcessState.ExitCode()
}

// get asks with a token and gives the status and the body.
func (g *served) get(path, token string) (int, string) {
	g.t.Helper()
	return g.ask(http.MethodGet, path, token)
}

func (g *served) post(path, token string) (int, string) {
	g.t.Helper()
	return g.ask(http.MethodPost, path, token)
}

func (g *served) ask(method, path, token string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func adminToken(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "bootstrap", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestFirstStartMakesAdminTokenAndDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dataFolder(t), "data")
	g := start(t, dir)
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "bootstrap", "admin.token"): 0o600, filepath.Join(dir, "hopyard.db"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, mode)
		}
	}
	status, body := g.get("/api/v1/me", adminToken(t, dir))
	var me struct {
		User     string
		Admin    bool
		Projects []struct{ Name, Role string }
	}
	if err := json.Unmarshal([]byte(body), &me); err != nil || status != http.StatusOK {
		t.Fatalf("GET /me with the first token = %d %s", status, body)
	}
	if me.User != "admin" || !me.Admin || len(me.Projects) != 1 || me.Projects[0].Name != "demo" || me.Projects[0].Role != "data_owner" {
		t.Errorf("GET /me = %s, want the admin with the project demo as its data owner", body)
	}
	link := strings.TrimPrefix(g.link, g.url)
	if status, _ := g.get(link, ""); status != http.StatusSeeOther {
		t.Errorf("the login link answers %d, want 303", status)
	}
	if status, _ := g.get(link, ""); status != http.StatusGone {
		t.Errorf("the login link answers %d the second time, want 410", status)
	}
}

func TestTermEndsTheGatewayWell(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		g := start(t, dataFolder(t))
		if code := g.end(signal); code != 0 {
			t.Errorf("%v ended the gateway with %d, want 0: %s", signal, code, g.log)
		}
	}
}

func TestSecondServeOnOneDirectoryNamesTheFirst(t *testing.T) {
	t.Parallel()
	g := start(t, dataFolder(t))
	out, err := hopyard(t, "serve", "--data", g.dir, "--listen", "127.0.0.1:0", "--offline").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "pid "+strconv.Itoa(g.cmd.Process.Pid)) {
		t.Errorf("second serve = %v, %s, want a refusal with the pid %d", err, out, g.cmd.Process.Pid)
	}
}

func TestKilledGatewayComesBackWithWhatItHad(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	first := start(t, dir)
	token := adminToken(t, dir)
	first.end(syscall.SIGKILL)
	second := start(t, dir)
	if status, body := second.get("/api/v1/projects/demo", token); status != http.StatusOK {
		t.Errorf("after kill -9 the token gets %d %s, want the project", status, body)
	}
	if adminToken(t, dir) != token {
		t.Error("the second start wrote another admin token")
	}
}

func TestFirstStartThatWasKilledIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	start(t, dir).end(syscall.SIGTERM)
	boot := filepath.Join(dir, "bootstrap")
	if err := os.Rename(filepath.Join(boot, "admin.token"), filepath.Join(boot, "unfinished")); err != nil {
		t.Fatal(err)
	}
	g := start(t, dir)
	if status, _ := g.get("/api/v1/me", adminToken(t, dir)); status != http.StatusOK {
		t.Errorf("the token of the finished first start gets %d, want 200", status)
	}
}

func TestTokenThatWasRemovedStaysRemoved(t *testing.T) {
	t.Parallel()
	dir := dataFolder(t)
	start(t, dir).end(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(dir, "bootstrap", "admin.token")); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "bootstrap", "admin.token")); err == nil {
		t.Error("the second start made the removed token again")
	}
}

func TestTokenCreatePrintsATokenThatWorksAtOnce(t *testing.T) {
	t.Parallel()
	g := start(t, dataFolder(t))
	out, err := hopyard(t, "token", "create", "--data", g.dir, "--user", "admin", "--project", "demo", "--ttl", "1h").Output()
	token := strings.TrimSuffix(string(out), "\n")
	if err != nil || token == "" || strings.ContainsAny(token, " \n") {
		t.Fatalf("token create = %v, %q, want the token alone", err, out)
	}
	if status, body := g.get("/p/demo/jupyter/lab", token); status == http.StatusForbidden || status == http.StatusUnauthorized {
		t.Errorf("the new token gets %d %s", status, body)
	}
	out, err = hopyard(t, "token", "create", "--data", g.dir, "--user", "nobody").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "nobody") {
		t.Errorf("token create for an unknown user = %v, %s, want a sentence", err, out)
	}
}

func TestWhatIsNotPreparedAnswersWithASentence(t *testing.T) {
	t.Parallel()
	g := start(t, dataFolder(t))
	status, body := g.get("/p/demo/jupyter/lab", adminToken(t, g.dir))
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "offline") {
		t.Errorf("Lab without its files, offline = %d %s, want 503 and why", status, body)
	}
	if status, body := g.get("/api/v1/projects", adminToken(t, g.dir)); status != http.StatusOK {
		t.Errorf("the console's API = %d %s, want it to work all the same", status, body)
	}
}

func TestStopSucceedsWhenNothingRuns(t *testing.T) {
	t.Parallel()
	g := start(t, dataFolder(t))
	for _, running := range []bool{true, false} {
		if out, err := hopyard(t, "stop", "--data", g.dir).CombinedOutput(); err != nil {
			t.Errorf("stop with a gateway %v = %v: %s", running, err, out)
		}
		if running {
			g.end(syscall.SIGTERM)
		}
	}
	if out, err := hopyard(t, "stop", "--data", t.TempDir()).CombinedOutput(); err == nil || !strings.Contains(string(out), "not a data directory") {
		t.Errorf("stop in an empty folder = %v: %s, want a sentence", err, out)
	}
}

func TestStopEndsKernelsAlsoWithoutAGateway(t *testing.T) {
	t.Parallel()
	config := preparedConfig(t)
	for _, running := range []bool{true, false} {
		g := start(t, dataFolder(t), "--config", config)
		token := adminToken(t, g.dir)
		if status, body := g.post("/p/demo/jupyter/api/kernels", token); status != http.StatusCreated {
			t.Fatalf("start a kernel = %d %s", status, body)
		}
		if !running {
			g.end(syscall.SIGKILL)
		}
		if out, err := hopyard(t, "stop", "--data", g.dir).CombinedOutput(); err != nil || !strings.Contains(string(out), "stopping kernel") {
			t.Fatalf("stop = %v: %s", err, out)
		}
		if left, _ := filepath.Glob(filepath.Join(g.dir, "run", "*")); len(left) != 0 {
			t.Errorf("stop with a gateway %v left %v", running, left)
		}
		if !running {
			g = start(t, g.dir, "--config", config)
		}
		// A gateway beside it hears of the end from the agent, and that is on its way.
		body := ""
		for end := time.Now().Add(patience); body != "[]" && time.Now().Before(end); body = strings.TrimSpace(body) {
			_, body = g.get("/p/demo/jupyter/api/kernels", token)
		}
		if body != "[]" {
			t.Errorf("kernels after stop with a gateway %v = %s, want none", running, body)
		}
	}
}

// preparedConfig is a configuration file that names what `make unit` has prepared for all tests.
func preparedConfig(t *testing.T) string {
	t.Helper()
	prepared := os.Getenv("HOPYARD_TEST_PREPARED")
	if prepared == "" {
		t.Skip("HOPYARD_TEST_PREPARED names no prepared environment")
	}
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(file, []byte("prepared: "+prepared+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigurationMistakesAreToldTogether(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(file, []byte("listen: 0.0.0.0:1\nlog_level: loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := hopyard(t, "serve", "--data", t.TempDir(), "--config", file).CombinedOutput()
	for _, want := range []string{"listen:", "log_level:"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("serve = %v, %s, want %s in it", err, out, want)
		}
	}
}

func TestFlagsWinOverTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(file, []byte("listen: 192.0.2.1:1\nproxies: [127.0.0.0/8]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, dataFolder(t), "--config", file)
	if !strings.HasPrefix(g.url, "http://127.0.0.1:") {
		t.Errorf("serves at %s, want the flag's address", g.url)
	}
}

func TestWrongOperatorsAddressIsTold(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(file, []byte("operators: 127.0.0.1:99999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := hopyard(t, "serve", "--data", t.TempDir(), "--config", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "operators:") {
		t.Errorf("serve with a wrong operators address = %v, %s, want a sentence", err, out)
	}
}

func TestDoctorEndsBadlyWithoutPython(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := hopyard(t, "doctor", "--json", "--data", t.TempDir(), "--python", filepath.Join(t.TempDir(), "python3"))
	out, err := cmd.Output()
	var report struct {
		Checks []struct{ Name, Status string }
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil || ctx.Err() != nil {
		t.Fatalf("doctor --json wrote %s: %v", out, jsonErr)
	}
	if err == nil || report.Checks[0].Name != "Python" || report.Checks[0].Status != "missing" {
		t.Errorf("doctor without Python = %v, %+v, want exit code 1 and Python missing", err, report.Checks[0])
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Short == "" || !strings.Contains(cmd.Example, "hopyard ") {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(root())
}
