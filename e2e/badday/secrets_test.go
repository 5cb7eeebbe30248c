//go:build e2e

package badday_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestCredentialsAreNowhereToBeSeen(t *testing.T) {
	t.Parallel()
	user, password, token := "reader", "hunter2-"+rand.Text(), "tok-"+rand.Text() // nobody else's, also not another run's
	ch, private := testchannel.Serve(t), testchannel.Serve(t)
	ch.RequireBasic(user, password)
	private.RequireToken(token)
	elsewhere := strings.Replace(private.URL, "127.0.0.1", "localhost", 1) // credentials are a host's
	g := newGateway(t)
	g.write("secrets/auth.json", fmt.Appendf(nil, `{"127.0.0.1": {"BasicHTTP": {"username": %q, "password": %q}}, "localhost": {"CondaToken": %q}}`,
		user, password, token))
	seen := watch(t, password, token, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	g.startOn(ch, map[string]any{
		"credentials":      filepath.Join(g.data, "secrets", "auth.json"),
		"channel_urls":     map[string]string{"conda-forge": ch.Channel(), "private": elsewhere + "/channel"},
		"allowed_channels": []string{"conda-forge", "private"},
	})
	g.ready("python", 1)
	g.createText("both", "channels: [conda-forge, private]\ndependencies:\n  - python=3.11\n  - private::symlink-inside\n  - pip:\n    - cowsay\n")
	g.ready("both", 1)
	private.RequireToken("another") // and what a failure says
	g.createText("refused", "channels: [private]\ndependencies: [odd-names]\n")
	g.ended("refused", 1)

	inAddress := map[string]string{"name": "address", "text": "channels: ['" + elsewhere + "/t/" + token + "/channel']\ndependencies: [odd-names]\n"}
	var answer json.RawMessage
	if status := g.ask("POST", environments, inAddress, &answer); status < 400 {
		t.Errorf("a token in the address of a channel: %d", status)
	}
	seen.in("the refusal", answer)
	for _, path := range g.everyAnswer("both", "refused") {
		seen.in(path, g.read(path))
	}
	seen.in("the log", []byte(g.log.String()))
	seen.inCommands()
	seen.inFiles(g.data, "secrets", "config.yaml", "pkgs", "pyc", "ui", "tools")
}

// everyAnswer is what the API has about environments.
func (g *gateway) everyAnswer(names ...string) []string {
	project := strings.TrimSuffix(environments, "/environments")
	paths := []string{environments, project + "/environments-policy", project + "/environments-usage", project + "/packages?q=symlink", "/api/v1/audit"}
	for _, name := range names {
		e := environments + "/" + name
		paths = append(paths, e, e+"/spec", e+"/revisions", e+"/packages", e+"/builds", e+"/builds/1", e+"/builds/1/events", e+"/builds/1/diff", e+"/history", e+"/activation")
		for _, format := range []string{"spec", "environment", "explicit", "conda-lock", "requirements", "cyclonedx", "lock"} {
			paths = append(paths, e+"/builds/1/export?format="+format)
		}
	}
	return paths
}

// watcher looks for secrets.
type watcher struct {
	t        *testing.T
	secrets  []string
	stop     chan struct{}
	commands chan string // those with a secret; closed at the end
}

// watch looks at all processes from now on.
func watch(t *testing.T, secrets ...string) *watcher {
	w := &watcher{t: t, secrets: secrets, stop: make(chan struct{}), commands: make(chan string, 100)}
	go func() {
		defer close(w.commands)
		for {
			select {
			case <-w.stop:
				return
			default:
				w.look()
			}
		}
	}()
	return w
}

func (w *watcher) look() {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		text, _ := os.ReadFile(path)
		if w.has(text) {
			select {
			case w.commands <- strings.ReplaceAll(string(text), "\x00", " "):
			default:
			}
		}
	}
}

func (w *watcher) has(text []byte) bool {
	for _, secret := range w.secrets {
		if strings.Contains(string(text), secret) {
			return true
		}
	}
	return false
}

func (w *watcher) in(where string, text []byte) {
	w.t.Helper()
	if w.has(text) {
		w.t.Errorf("a secret is in %s:\n%s", where, text)
	}
}

// inFiles looks into all files below a folder, but for those of some names.
func (w *watcher) inFiles(folder string, but ...string) {
	w.t.Helper()
	args := []string{"-rlaF"}
	for _, name := range but {
		args = append(args, "--exclude="+name, "--exclude-dir="+name)
	}
	for _, secret := range w.secrets {
		args = append(args, "-e", secret)
	}
	if found, _ := exec.CommandContext(w.t.Context(), "grep", append(args, folder)...).Output(); len(found) > 0 {
		w.t.Errorf("a secret is in files:\n%s", found)
	}
}

func (w *watcher) inCommands() {
	w.t.Helper()
	close(w.stop)
	for command := range w.commands {
		w.t.Fatalf("a secret is on a command line: %s", command)
	}
}
