package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/testscript"
	"golang.org/x/sys/unix"
)

// desk answers the requests of `hopyard env` as a gateway would, from a table, and keeps what was asked.
type desk struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string       // guarded by mu
	answers map[string]any // by "METHOD path below the project"; an http.HandlerFunc answers itself; guarded by mu
}

// on sets the answer to a request.
func (d *desk) on(request string, answer any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[request] = answer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{answers: map[string]any{}}
	d.Server = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path, below := strings.CutPrefix(r.URL.Path, "/api/v1/projects/demo")
	if !below {
		path = strings.TrimPrefix(r.URL.Path, "/api/v1")
	}
	asked := strings.TrimSpace(r.Method + " " + path + " " + string(body))
	d.mu.Lock()
	d.asked = append(d.asked, asked)
	answer, ok := d.answers[r.Method+" "+path]
	d.mu.Unlock()
	switch handle := answer.(type) {
	case http.HandlerFunc:
		handle(w, r)
	case nil:
		if path == "/me" && !ok {
			_, _ = io.WriteString(w, `{"projects":[{"name":"demo"}]}`)
			return
		}
		refuse(w, http.StatusNotFound, "not_found", "there is nothing at "+path, nil)
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string, f *driver.Failure) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message, "id": "1"}, "failure": f})
}

// run runs `hopyard env` with the desk as its gateway.
func (d *desk) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := d.command(t, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (d *desk) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := hopyard(t, append([]string{"env"}, args...)...)
	cmd.Env = append(cmd.Env, urlVariable+"="+d.URL, tokenVariable+"=secret")
	return cmd
}

func (d *desk) last() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[len(d.asked)-1]
}

func (d *desk) wasAsked(request string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.asked, request)
}

func items[T any](v ...T) list[T] { return list[T]{Items: v} }

func TestPackagesSayWhichRevisionTheyChange(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("GET /environments/base", envs.Environment{Name: "base", Revision: 5, Active: &envs.Active{Build: 4, Revision: 4}})
	_, said, code := d.run(t, "packages", "add", "base", "pandas")
	if code != 1 || !strings.Contains(said, "revision 5 of base's environment.yml is changed; build 4, which is in use, is of revision 4") {
		t.Errorf("packages add = %d %s", code, said)
	}
	d.on("GET /environments/base", envs.Environment{Name: "base", Revision: 4, Active: &envs.Active{Build: 4, Revision: 4}})
	if _, said, _ := d.run(t, "packages", "add", "base", "pandas"); strings.Contains(said, "revision") {
		t.Errorf("packages add says %s, want nothing of revisions", said)
	}
}

func TestMisuseOfACommandSaysHowItIsUsed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("GET /packages", items[driver.Found]())
	for want, args := range map[string][]string{
		"usage: hopyard env show NAME":                     {"show"},
		"`hopyard env packages remove --help` says more":   {"packages", "remove", "base"},
		"by one of --file, --lock, --from, --requirements": {"create", "new"},
		"--notebook; --file and --lock may come together":  {"create", "new", "-f", "x.yml", "--from", "demo/base"},
		`nothing has "zzz" in its name; the package index`: {"packages", "search", "zzz"},
	} {
		if _, said, code := d.run(t, args...); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%v = %d %q, want %q", args, code, said, want)
		}
	}
}

// buildStream is a build's event stream.
func buildStream(all ...driver.Event) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, e := range all {
			e.Seq = uint64(i + 1)
			text, _ := json.Marshal(e)
			fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, text)
		}
	}
}

func TestEnvListAndShowReadWell(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := envs.Environment{
		Project: "demo", Name: "base", Kind: lock.Conda, Why: "a channel answers", Default: true, Revision: 4, Exclusive: 3_700_000, Shared: 181_000_000,
		Active: &envs.Active{Build: 12, Revision: 4, Python: "3.11.7", Packages: 33, Prefix: "/e/b/x", By: "ada"}, Latest: &envs.Build{Number: 13, State: envs.Building, Phase: driver.Link},
	}
	d.on("GET /environments", items(e))
	d.on("GET /environments/base", e)
	d.on("GET /environments/base/builds", items(envs.Build{Number: 12, State: envs.Ready, Active: true, Revision: 4, Packages: 33, By: "ada", Reason: "add pandas"}))
	out, errs, code := d.run(t, "list")
	for _, want := range []string{"base (default)", "conda", "12", "3.11.7", "3.7 MB", "13 building (link)"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("list = %d %s%s, want %q in it", code, out, errs, want)
		}
	}
	out, errs, code = d.run(t, "show", "base")
	for _, want := range []string{"conda: a channel answers", "Python 3.11.7, 33 packages", "181 MB shared", "add pandas"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("show = %d %s%s, want %q in it", code, out, errs, want)
		}
	}
	out, _, _ = d.run(t, "show", "base", "--json")
	var back envs.Environment
	if err := json.Unmarshal([]byte(out), &back); err != nil || back.Active.Build != 12 {
		t.Errorf("show --json = %s: %v, want the API's answer", out, err)
	}
}

func TestEnvCreateFollowsTheBuild(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := filepath.Join(t.TempDir(), "environment.yml")
	if err := os.WriteFile(file, []byte("dependencies: [numpy]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.on("POST /environments", envs.Environment{
		Name: "new", Kind: "venv", Why: "forge lacks something", Latest: &envs.Build{Environment: "new", Number: 1, State: envs.Queued},
	})
	d.on("GET /environments/new/builds/1/events", buildStream(
		driver.Event{Type: driver.TypeState, State: "building", Phase: driver.Fetch},
		driver.Event{Type: driver.TypeProgress, Phase: driver.Fetch, Done: 33, Total: 33, Bytes: 98_000_000, TotalBytes: 98_000_000},
		driver.Event{Type: driver.TypeLog, Text: "byte-compiling"}, driver.Event{Type: driver.TypeResult, State: "ready"},
	))
	d.on("GET /environments/new/builds/1", envs.Build{Environment: "new", Number: 1, State: envs.Ready, Packages: 33, Bytes: 181_000_000})
	out, errs, code := d.run(t, "create", "new", "-f", file, "-m", "first")
	if code != 0 || out != "build 1 of new is ready: 33 packages, 181 MB\n" {
		t.Errorf("create = %d %q %s", code, out, errs)
	}
	for _, want := range []string{"new is of kind venv: forge lacks something\n", "building, fetch", "fetch 33 of 33 packages, 98 MB of 98 MB", "byte-compiling"} {
		if !strings.Contains(errs, want) {
			t.Errorf("progress = %s, want %q in it", errs, want)
		}
	}
	if want := `POST /environments {"build":true,"message":"first","name":"new","text":"dependencies: [numpy]\n"}`; !d.wasAsked(want) {
		t.Errorf("asked %q, want %q", d.asked, want)
	}
	out, _, code = d.run(t, "create", "new", "--from", "research/base@7", "--detach")
	if code != 0 || !strings.Contains(out, "hopyard env log new 1") {
		t.Errorf("create --detach = %d %q, want how to follow", code, out)
	}
	if want := `POST /environments {"build":true,"from":{"project":"research","environment":"base","build":7},"name":"new"}`; !d.wasAsked(want) {
		t.Errorf("asked %q, want %q", d.asked, want)
	}
}

func TestEnvBuildThatFailsEndsBadlyWithItsTree(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("POST /environments/base/builds", envs.Build{Environment: "base", Number: 2, State: envs.Queued})
	d.on("GET /environments/base/builds/2/events", buildStream(driver.Event{Type: driver.TypeResult, State: "failed"}))
	d.on("GET /environments/base/builds/2", envs.Build{Environment: "base", Number: 2, State: envs.Failed, Failure: &driver.Failure{
		Cause: driver.Unsatisfiable, Message: "the packages do not fit together", Tree: "numpy 1.26 would require\n  python 3.11", Near: []string{"numba"},
	}})
	_, errs, code := d.run(t, "build", "base")
	for _, want := range []string{"do not fit together", "  numpy 1.26 would require\n    python 3.11", "did you mean: numba"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("build = %d %s, want 1 and %q", code, errs, want)
		}
	}
}

func TestEnvSolveTellsWhatWouldChange(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("POST /environments/base/solve", envs.Solution{
		Download: 14_200_000, Artifacts: 112_000_000,
		Diff: lock.Diff{
			Added: []lock.Change{{Name: "pandas", From: "conda", New: "3.1.1", Bytes: 14_200_000}}, Removed: []lock.Change{{Name: "scipy", From: "conda", Old: "1.1"}},
			Changed: []lock.Change{{Name: "numpy", From: "conda", Old: "1.26.4", New: "2.4.6", Direction: "up", Bytes: 17_100_000}}, Unchanged: 31, Bytes: 31_300_000,
		},
	})
	out, errs, code := d.run(t, "solve", "base", "--add", "pandas=3.1.1", "--add", "pip:requests>=2", "--remove", "scipy")
	for _, want := range []string{"+  pandas  3.1.1", "-  scipy", "1.26.4 -> 2.4.6", "17 MB", "1 added, 1 removed, 1 changed, 31 unchanged", "to download: 14 MB of 112 MB"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("solve = %d %s%s, want %q in it", code, out, errs, want)
		}
	}
	want := `POST /environments/base/solve {"add":[{"name":"pandas","from":"conda","version":"3.1.1"},{"name":"requests","from":"pip","version":"\u003e=2"}],"remove":["scipy"]}`
	if d.last() != want {
		t.Errorf("asked %s, want %s", d.last(), want)
	}

	d.on("POST /environments/base/solve", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusBadRequest, "invalid", "a mistake", &driver.Failure{Cause: driver.SpecInvalid, Message: "a mistake", Line: 3, Column: 5})
	}))
	if _, errs, code := d.run(t, "solve", "base"); code != 1 || !strings.Contains(errs, "line 3, column 5: a mistake") {
		t.Errorf("solve = %d %s, want the place", code, errs)
	}
}

func TestEnvRollbackTakesTheGoodBuildBefore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("GET /environments/base", envs.Environment{Name: "base", Active: &envs.Active{Build: 5}})
	d.on("GET /environments/base/builds", items(
		envs.Build{Number: 6, State: envs.Ready}, envs.Build{Number: 5, State: envs.Ready}, envs.Build{Number: 4, State: envs.Failed},
		envs.Build{Number: 3, State: envs.Collected}, envs.Build{Number: 2, State: envs.Ready}))
	d.on("POST /environments/base/activate", envs.Activation{Build: 3, Pending: true})
	out, errs, code := d.run(t, "rollback", "base")
	if want := `POST /environments/base/activate {"build":3,"reason":"rolled back"}`; code != 0 || d.last() != want || !strings.Contains(out, "being restored") {
		t.Errorf("rollback = %d %s%s and asked %s, want %s", code, out, errs, d.last(), want)
	}
	d.on("POST /environments/base/activate", envs.Activation{Build: 2})
	if out, _, code := d.run(t, "rollback", "base", "2"); code != 0 || out != "build 2 of base is in use for new programs\n" {
		t.Errorf("rollback base 2 = %d %s", code, out)
	}
	d.on("GET /environments/base", envs.Environment{Name: "base", Active: &envs.Active{Build: 2}})
	if _, errs, code := d.run(t, "rollback", "base"); code != 1 || !strings.Contains(errs, "no good build before 2") {
		t.Errorf("rollback of the first = %d %s", code, errs)
	}
}

func TestEnvRunTakesThePlaceOfTheCommand(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	prefix := t.TempDir()
	bin := filepath.Join(prefix, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho $$ $GREETING $PYTHONNOUSERSITE $KEPT [$HOPYARD_TOKEN] $PATH \"$@\"\nexit 42\n"
	testscript.Write(t, filepath.Join(bin, "tell"), script)
	d.on("GET /environments/base/activation", map[string]any{"bin": bin, "prefix": prefix, "variables": map[string]string{"GREETING": "hello", "PATH": "/wrong"}})
	cmd := d.command(t, "run", "base", "--", "tell", "--loud", "a b")
	cmd.Env = append(cmd.Env, "KEPT=kept", "PATH=/usr/bin:/bin")
	out, err := cmd.Output()
	want := fmt.Sprintf("%d hello 1 kept [] %s:/usr/bin:/bin --loud a b\n", cmd.Process.Pid, bin)
	if cmd.ProcessState.ExitCode() != 42 || string(out) != want {
		t.Errorf("run = %v %q, want 42 and %q", err, out, want)
	}
	if _, errs, code := d.run(t, "run", "base", "--", "no-such-program"); code != 1 || !strings.Contains(errs, "no-such-program") {
		t.Errorf("run of nothing = %d %s", code, errs)
	}
	d.on("GET /environments/base/activation", map[string]any{"bin": filepath.Join(prefix, "gone"), "prefix": prefix})
	if _, errs, code := d.run(t, "run", "base", "--", "true"); code != 1 || !strings.Contains(errs, "not on this host") {
		t.Errorf("run elsewhere = %d %s, want where to run it", code, errs)
	}
}

func TestEnvRunHoldsTheFilesUntilTheProgramEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	prefix := t.TempDir()
	d.on("GET /environments/base/activation", map[string]any{"bin": prefix, "prefix": prefix})
	cmd := d.command(t, "run", "base", "--", "sh", "-c", "echo up; read line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 3))
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("taking the files away while the program runs = %v, want to be kept from it", err)
	}
	in.Close()
	_ = cmd.Wait()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("taking the files away after the program = %v", err)
	}
}

func TestEnvInterruptedSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	open := make(chan struct{})
	d.on("GET /environments/base", envs.Environment{Name: "base", Latest: &envs.Build{Number: 3}})
	d.on("GET /environments/base/builds/3/events", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		close(open)
		<-r.Context().Done()
	}))
	cmd := d.command(t, "log", "base")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-open
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), "hopyard env cancel base 3") {
		t.Errorf("interrupted = %d %q, want how to cancel", code, out.String())
	}
}

func TestEnvDeletesAnEnvironmentOrOneOfItsBuilds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	d.on("DELETE /environments/base", done)
	d.on("DELETE /environments/base/builds/11", done)
	d.on("DELETE /environments/base/builds/12", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusConflict, "conflict", "build 12 is in use; activate another one first", nil)
	}))
	if _, errs, code := d.run(t, "delete", "base", "11"); code != 0 || !strings.Contains(errs, "build 11 of base is removed") {
		t.Errorf("delete base 11 = %d %s", code, errs)
	}
	if _, errs, code := d.run(t, "delete", "base", "12"); code != 1 || !strings.Contains(errs, "activate another one first") {
		t.Errorf("delete base 12 = %d %s, want the gateway's reason", code, errs)
	}
	for _, wrong := range []string{"twelve", "0", "-1"} {
		if _, _, code := d.run(t, "delete", "base", "--", wrong); code == 0 {
			t.Errorf("delete base %s succeeds", wrong)
		}
	}
	if d.wasAsked("DELETE /environments/base") {
		t.Error("the environment has been removed")
	}
	if _, errs, code := d.run(t, "delete", "base"); code != 0 || !strings.Contains(errs, "base is removed") || !d.wasAsked("DELETE /environments/base") {
		t.Errorf("delete base = %d %s", code, errs)
	}
}

func TestEnvExportsAndCollects(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("GET /environments/base", envs.Environment{Name: "base", Active: &envs.Active{Build: 5}})
	d.on("GET /environments/base/builds/5/export", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Query().Get("format"))
	}))
	file := filepath.Join(t.TempDir(), "out")
	if _, errs, code := d.run(t, "export", "base", "--format", "explicit", "-o", file); code != 0 {
		t.Fatalf("export = %d %s", code, errs)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "explicit" {
		t.Errorf("exported %q, %v", text, err)
	}
	d.on("POST /environments-collect", envs.Report{Builds: 2, Bytes: 10_000_000, Packages: 7, Locks: 4, LockBytes: 120_000})
	d.on("GET /environments-usage", envs.Usage{Builds: 3, Exclusive: 1, Shared: 2, Rule: "the last three are kept"})
	out, _, code := d.run(t, "gc")
	if code != 0 || !strings.Contains(out, "2 builds removed, 10 MB freed\n7 packages left the caches, 4 locks left the storage (120 kB)") || !strings.Contains(out, "rule: the last three are kept") {
		t.Errorf("gc = %d %s", code, out)
	}
	d.on("GET /environments/base/packages", items(store.Item{Name: "numpy", Version: "2.4.6", From: "conda", Channel: "https://c.example/main/", Requested: true}))
	if out, _, code := d.run(t, "packages", "list", "base"); code != 0 || !strings.Contains(out, "*  numpy  2.4.6    -      conda main") {
		t.Errorf("packages list = %d %s", code, out)
	}
}

func TestEnvAsksForTheProjectWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.on("GET /me", map[string]any{"projects": []map[string]string{{"name": "demo"}, {"name": "other"}}})
	if _, errs, code := d.run(t, "list"); code != 1 || !strings.Contains(errs, "--project: demo, other") {
		t.Errorf("list = %d %s, want the projects", code, errs)
	}
	d.on("GET /environments", items[envs.Environment]())
	if _, errs, code := d.run(t, "list", "-p", "demo"); code != 0 {
		t.Errorf("list -p demo = %d %s", code, errs)
	}
}

func TestEnvFindsTheGatewayOfADataDirectory(t *testing.T) {
	t.Parallel()
	g := start(t, dataFolder(t))
	if info, err := os.Stat(filepath.Join(g.dir, "address")); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the note of the address: %v, %v", info, err)
	}
	// That the API answers at all, in whatever way, shows that address and token were found.
	if out, _ := hopyard(t, "env", "list", "--data", g.dir, "--project", "nothing").CombinedOutput(); !strings.Contains(string(out), `no project "nothing"`) {
		t.Errorf("list = %s, want the gateway's refusal", out)
	}
	g.end(syscall.SIGKILL)
	none := "no gateway runs on " + g.dir
	if out, err := hopyard(t, "env", "list", "--data", g.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), none) {
		t.Errorf("list after kill -9 = %v %s, want %q", err, out, none)
	}
	g = start(t, g.dir)
	g.end(syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(g.dir, "address")); err == nil {
		t.Error("the note of the address is left")
	}
	if out, err := hopyard(t, "env", "list", "--data", g.dir).CombinedOutput(); err == nil || !strings.Contains(string(out), none) {
		t.Errorf("list after the end = %v %s, want %q", err, out, none)
	}
}

func TestEnvNeedsATokenOfItsOwnForAnotherGateway(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	out, err := hopyard(t, "env", "list", "--url", d.URL).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "$HOPYARD_TOKEN") {
		t.Errorf("list = %v %s, want a sentence about tokens", err, out)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.on("GET /me", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusUnauthorized, "unauthenticated", r.Header.Get("Authorization"), nil)
	}))
	if out, _ := hopyard(t, "env", "list", "--url", d.URL, "--token-file", file).CombinedOutput(); !strings.Contains(string(out), "Bearer from-a-file") {
		t.Errorf("list = %s, want the file's token to be sent", out)
	}
}

func TestDoctorSaysHowEnvironmentsAreMade(t *testing.T) {
	t.Parallel()
	out, _ := hopyard(t, "doctor", "--json", "--data", t.TempDir()).Output()
	var report struct {
		Checks []struct{ Name, Status, Found, Mend string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("doctor --json wrote %s: %v", out, err)
	}
	for _, name := range []string{"Environments", "Environment store"} {
		i := slices.IndexFunc(report.Checks, func(c struct{ Name, Status, Found, Mend string }) bool { return c.Name == name })
		if i < 0 || report.Checks[i].Status != "warn" || report.Checks[i].Mend == "" {
			t.Errorf("doctor on an empty folder says %+v, want a warning about %s and what to do", report.Checks, name)
		}
	}
}

func TestEnvPackagesAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"numpy": "numpy conda ", "numpy=2.4": "numpy conda 2.4", "numpy==2.4.6": "numpy conda ==2.4.6", "numpy>=2,<3": "numpy conda >=2,<3",
		"pip:requests": "requests pip ", "pip:uvicorn[standard]>=0.30": "uvicorn[standard] pip >=0.30", "=1": "",
	} {
		p, err := parsePackage(text, false)
		if got := p.Name + " " + p.From + " " + p.Version; (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("parsePackage(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, wrong := range []string{"", "x", "a/b/c", "a/b@x", "a/b@0", "/b", "a/"} {
		if _, err := parseRef(wrong); err == nil {
			t.Errorf("parseRef(%q) takes it", wrong)
		}
	}
}
