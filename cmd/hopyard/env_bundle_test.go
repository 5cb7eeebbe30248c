package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/bundle"
	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/testchannel"
	"github.com/hopyard/hopyard/internal/wheels"
)

const channelPassword = "a-pass.word"

// TestLocksOfABundleAreFilesOfTheirOwn loads a bundle where somebody else has put files of the names that its locks will have.
func TestLocksOfABundleAreFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Python: "3.11", Base: &lock.Base{Path: "/usr/bin/python3", Version: "3.11.7"}}
	folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "theirs")
	out, err := os.Create(filepath.Join(folder, "team.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	b := bundle.Bundle{Environments: []bundle.Environment{{Name: "linked", Build: 1, Content: l}, {Name: "open", Build: 1, Content: l}}}
	if err := bundle.Write(t.Context(), out, b, bundle.Means{Dir: t.TempDir(), Fetcher: &wheels.Fetcher{}, Tell: func(string) {}}); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(folder, "open.lock.json")
	if err := errors.Join(os.Symlink(elsewhere, filepath.Join(folder, "linked.lock.json")), os.WriteFile(open, nil, 0o600), os.Chmod(open, 0o666)); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(open, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	cmd := hopyard(t, "env", "bundle", "--load", out.Name(), "--data", t.TempDir())
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("load = %v: %s", err, said)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("a lock was written through a link")
	}
	fresh := filepath.Join(t.TempDir(), "made", "locks")
	cmd = hopyard(t, "env", "bundle", "--load", out.Name(), "--data", t.TempDir(), "-o", fresh)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("load into a folder that is not there = %v: %s", err, said)
	}
	if locks, err := os.ReadDir(fresh); err != nil || len(locks) == 0 {
		t.Errorf("%s = %v, %v, want the locks", fresh, locks, err)
	}
	if _, err := theirs.WriteString("{}"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(open)
	info, _ := os.Stat(open)
	if got, decodeErr := lock.Decode(text); err != nil || decodeErr != nil || got.ID() != l.ID() || info.Mode().Perm() != 0o600 {
		t.Errorf("the lock is %s of mode %v (%v, %v)", text, info.Mode(), err, decodeErr)
	}
}

// settingsFile writes a configuration with a private channel, with or without its password.
func settingsFile(t *testing.T, server *testchannel.Server, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	text := fmt.Sprintf("%s\nenvironments:\n  channel_urls: {hush: %s}\n  private_channels: {hush: [demo]}\n  index: %s\n", more, server.Channel(), server.Simple())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// credentialsOf writes the file with the password of a server.
func credentialsOf(t *testing.T, server *testchannel.Server) string {
	t.Helper()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "auth.json")
	text := fmt.Sprintf(`{%q: {"BasicHTTP": {"username": "u", "password": %q}}}`, address.Hostname(), channelPassword)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBundleBringsAHostWithoutANetworkUp writes an environment of a channel with a password into a bundle, and takes that into a
// network namespace that has nothing but its own loopback: no cache, no password, no channel.
func TestBundleBringsAHostWithoutANetworkUp(t *testing.T) {
	t.Parallel()
	prepared := os.Getenv("HOPYARD_TEST_PREPARED")
	if prepared == "" {
		t.Skip("HOPYARD_TEST_PREPARED names no prepared environment")
	}
	server := testchannel.Serve(t)
	server.RequireBasic("u", channelPassword)
	flags := "-n"
	if os.Geteuid() != 0 {
		flags = "-rn"
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", flags, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("no network can be taken away here, which takes ip (iproute2), and root or namespaces of users: %v: %s", err, out)
	}
	python := pythonOf(t, prepared)
	bundled, locked := bundleHush(t, server, prepared, python)
	text, err := os.ReadFile(bundled)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(channelPassword)) {
		t.Error("the bundle holds the password")
	}
	offline := dataFolder(t)
	config := settingsFile(t, server, "data: "+offline+"\nlisten: 127.0.0.1:0\ndemo: true")
	script := `set -e
ip link set lo up
H="$1"; CONFIG="$2"; DIR="$3"; BUNDLE="$4"; OUT="$5"
$H env bundle --load "$BUNDLE" --config "$CONFIG" -o "$OUT" --python "$6"
$H serve --config "$CONFIG" --python "$6" > "$OUT/serve" &
trap "kill -INT $!; wait $!" EXIT
E="$H env --data $DIR -p demo"
i=0; until $E list --json 2>/dev/null | grep -q '"active"'; do i=$((i+1)); [ $i -lt 6000 ]; sleep 0.2; done
$E run python -- python -c 'import ipykernel, numpy; print("first", numpy.__version__)'
$E create sci --lock "$OUT/sci.lock.json"
$E run sci -- python -c 'import traitlets, cowsay; print("carried", traitlets.__version__)'
$E show sci --json > "$OUT/sci.json"
`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", flags, "sh", "-c", script, "sh", self, config, offline, bundled, out, python)
	cmd.Env = append(os.Environ(), asProgram+"=1", "XDG_CACHE_HOME="+t.TempDir())
	cmd.WaitDelay = time.Second
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "first ") || !strings.Contains(string(said), "carried ") {
		t.Fatalf("without a network: %v\n%s", err, said)
	}
	var e envs.Environment
	text, err = os.ReadFile(filepath.Join(out, "sci.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Active == nil || e.Active.Packages != locked {
		t.Errorf("there it is %s (%v), want %d packages in use", text, err, locked)
	}
	if left, _ := filepath.Glob(filepath.Join(offline, "envs", "pkgs", "public", "*")); len(left) > 0 {
		t.Errorf("packages of the private channel are everybody's: %q", left)
	}
}

// bundleHush bundles an environment of a private channel, which a gateway knows. It gives the file, and how many packages there are.
func bundleHush(t *testing.T, server *testchannel.Server, prepared, python string) (string, int) {
	t.Helper()
	auth := credentialsOf(t, server)
	const text = "channels: [hush]\ndependencies: [python 3.11.*, traitlets, {pip: [cowsay]}]\n"
	l := solveHush(t, server, prepared, auth, text)
	locked, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.on("GET /environments-policy", envs.PolicyView{Rules: policy.Rules{
		ChannelURLs: map[string]string{"hush": server.Channel()}, PrivateChannels: map[string][]string{"hush": {"demo"}},
	}})
	d.on("GET /environments/sci/builds/1/export", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("format") == "lock" {
			_, _ = w.Write(locked)
		} else {
			_, _ = io.WriteString(w, text)
		}
	}))
	bundled := filepath.Join(t.TempDir(), "sci.tar")
	cmd := d.command(t, "bundle", "sci@1", "-o", bundled, "--credentials", auth, "--pythons", minorOf(t, python), "--python", python)
	cache, err := wheels.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+filepath.Dir(filepath.Dir(cache)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bundle = %v: %s", err, out)
	}
	return bundled, len(l.Packages) + len(l.Wheels)
}

func solveHush(t *testing.T, server *testchannel.Server, prepared, auth, text string) *lock.Lock {
	t.Helper()
	found, ok := tools.Find(filepath.Join(prepared, "tools"))
	if !ok {
		t.Skip("no tools are prepared")
	}
	s, err := spec.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := conda.New(conda.Config{Tools: found, CacheDir: t.TempDir(), AuthFile: auth})
	defer d.Close()
	l, err := d.Solve(t.Context(), driver.Request{Spec: s, Channels: []string{server.Channel()}, Index: server.Simple()}, func(driver.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pythonOf is the host's interpreter that what is prepared stands on.
func pythonOf(t *testing.T, prepared string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(prepared, "starter.json"))
	if err != nil {
		t.Skipf("nothing is prepared: %v", err)
	}
	var kept struct {
		Lock struct{ Base struct{ Path string } }
	}
	if err := json.Unmarshal(text, &kept); err != nil || kept.Lock.Base.Path == "" {
		t.Skipf("what is prepared stands on no Python of this host: %v", err)
	}
	return kept.Lock.Base.Path
}

func minorOf(t *testing.T, python string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
