package conda_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestChannelThatCannotBeRead(t *testing.T) {
	t.Parallel()
	silent := testchannel.Serve(t)
	silent.Hang("*")
	broken := testchannel.Serve(t)
	broken.CutAfter(10, 0)
	missing := testchannel.Serve(t)
	for name, c := range map[string]struct {
		channel string
		cause   driver.Cause
		want    string
	}{
		"refused":           {"http://127.0.0.1:1/channel", driver.ChannelUnreachable, "http://127.0.0.1:1/channel"},
		"no such host":      {"http://channel.invalid/forge", driver.ChannelUnreachable, "http://channel.invalid/forge"},
		"no such folder":    {"file:///nowhere/at/all", driver.ChannelUnreachable, "/nowhere/at/all"},
		"nothing there":     {missing.URL + "/elsewhere", driver.ChannelUnreachable, "is not a channel"},
		"hangs":             {silent.Channel(), driver.TimedOut, "no answer within"},
		"index that is cut": {broken.Channel(), driver.ChannelUnreachable, broken.Channel()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, func(c *conda.Config) {
				if strings.Contains(name, "hangs") {
					c.Timeout = 2 * time.Second
				}
			})
			_, err := d.Solve(t.Context(), wants(t, c.channel, "packaging"), nil)
			if f := failure(t, err, c.cause); !strings.Contains(f.Message, c.want) {
				t.Errorf("message = %q, want it to have %q", f.Message, c.want)
			}
			aged := wants(t, c.channel, "packaging")
			aged.MinimumAgeSeconds = 1
			_, err = d.Solve(t.Context(), aged, nil)
			failure(t, err, c.cause)
			// The helper is fine, or a new one is.
			if _, err := d.Solve(t.Context(), wants(t, local(t), "packaging"), nil); err != nil && name != "hangs" {
				t.Errorf("the next solve = %v", err)
			}
		})
	}
}

func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	server.Unavailable(2)
	d, dir := newDriver(t), t.TempDir()
	l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
	server.Unavailable(1)
	if err := d.Install(t.Context(), l, place(dir, "one"), func(driver.Event) {}); err != nil {
		t.Errorf("Install after a 503 = %v", err)
	}
	server.CutAfter(1000, 1)
	if err := d.Install(t.Context(), l, place(t.TempDir(), "one"), func(driver.Event) {}); err != nil {
		t.Errorf("Install after a connection that broke = %v", err)
	}
}

func TestChannelWithoutShards(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	server.NotFound("*shard*")
	l := solve(t, newDriver(t), wants(t, server.Channel(), "packaging"))
	if versions(l)["packaging"] == "" {
		t.Errorf("solved %v", versions(l))
	}
}

func TestDownloadThatGoesWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(*testchannel.Server)
		cause driver.Cause
	}{
		"wrong bytes":   {func(s *testchannel.Server) { s.WrongBytes("packaging*.conda") }, driver.HashMismatch},
		"always cut":    {func(s *testchannel.Server) { s.CutAfter(1000, 0) }, driver.ChannelUnreachable},
		"gone":          {func(s *testchannel.Server) { s.NotFound("packaging*.conda") }, driver.PackageMissing},
		"asks for more": {func(s *testchannel.Server) { s.RequireBasic("reader", "hunter2") }, driver.AuthFailed},
		"stands still":  {func(s *testchannel.Server) { s.Hang("packaging*.conda") }, driver.TimedOut},
		"down":          {func(s *testchannel.Server) { s.Unavailable(1000) }, driver.ChannelUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testchannel.Serve(t)
			d := newDriver(t, func(c *conda.Config) { c.Timeout = 2 * time.Minute })
			l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
			c.fault(server)
			if name == "stands still" {
				d = newDriver(t, func(c *conda.Config) { c.Timeout = 3 * time.Second })
			}
			f := failure(t, d.Install(t.Context(), l, place(t.TempDir(), "one"), func(driver.Event) {}), c.cause)
			if f.Package == "" {
				t.Errorf("failure = %+v, want the package named", f)
			}
		})
	}
}

// Secrets are searched for in all that leaves the driver.
func TestCredentialsAreUsedAndNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-and-more"
	server := testchannel.Serve(t)
	server.RequireBasic("reader", secret)
	host := strings.TrimPrefix(server.URL, "http://")
	name, _, _ := strings.Cut(host, ":")
	var log said
	with := func(text string) *conda.Driver {
		auth := filepath.Join(t.TempDir(), "auth.json")
		if err := os.WriteFile(auth, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return newDriver(t, func(c *conda.Config) {
			c.AuthFile, c.Log = auth, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
	}
	_, err := newDriver(t).Solve(t.Context(), wants(t, server.Channel(), "packaging"), nil)
	if f := failure(t, err, driver.AuthFailed); !strings.Contains(f.Message, "asks for credentials") || !strings.Contains(f.Message, server.Channel()) {
		t.Errorf("message without credentials = %q", f.Message)
	}
	_, err = with(`{"`+name+`": {"BasicHTTP": {"username": "reader", "password": "wrong-one"}}}`).Solve(t.Context(), wants(t, server.Channel(), "packaging"), nil)
	if f := failure(t, err, driver.AuthFailed); !strings.Contains(f.Message, "not accepted") {
		t.Errorf("message with wrong credentials = %q", f.Message)
	}
	_, err = with(`{"`+host+`": {"BasicHTTP": {"username": "reader", "password": "`+secret+`"}}}`).Solve(t.Context(), wants(t, server.Channel(), "packaging"), nil)
	if f := failure(t, err, driver.AuthFailed); !strings.Contains(f.Message, "below its host, without a port") {
		t.Errorf("message with credentials below host and port = %q", f.Message)
	}

	d := with(`{"` + name + `": {"BasicHTTP": {"username": "reader", "password": "` + secret + `"}}}`)
	l := solve(t, d, wants(t, server.Channel(), "packaging", "python=3.11"))
	var events heard
	dir := t.TempDir()
	if err := d.Install(t.Context(), l, place(dir, "one"), events.sink); err != nil {
		t.Fatal(err)
	}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	meta := allText(t, filepath.Join(dir, "b", "one", "conda-meta"))
	for where, shown := range map[string]string{"lock": string(text), "events": fmt.Sprint(events.events), "log": log.String(), "conda-meta": meta} {
		if strings.Contains(shown, secret) {
			t.Errorf("the password is in the %s", where)
		}
	}
	if strings.Contains(processes(t), secret) {
		t.Error("the password is on a command line")
	}
}

func TestCredentialsInAnAddressStayThere(t *testing.T) {
	t.Parallel()
	const secret = "tok-5f1d2c"
	server := testchannel.Serve(t)
	server.RequireToken(secret)
	d := newDriver(t)
	l := solve(t, d, wants(t, server.URL+"/t/"+secret+"/channel", "packaging"))
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) {
		t.Errorf("the token is in the lock:\n%s", text)
	}
	server.RequireToken("another")
	_, err = newDriver(t).Solve(t.Context(), wants(t, server.URL+"/t/"+secret+"/channel", "packaging"), nil)
	f := failure(t, err, driver.AuthFailed)
	if shown := fmt.Sprintf("%+v %s", f, f.Err); strings.Contains(shown, secret) {
		t.Errorf("the token is in the failure: %s", shown)
	}
}

func TestOfflineUsesWhatWasReadBefore(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	cache := filepath.Join(t.TempDir(), "cache")
	with := func(offline bool) *conda.Driver {
		return newDriver(t, func(c *conda.Config) { c.CacheDir, c.Offline = cache, offline })
	}
	req := wants(t, server.Channel(), "packaging")
	_, err := with(true).Solve(t.Context(), req, nil)
	if f := failure(t, err, driver.ChannelUnreachable); !strings.Contains(f.Message, "offline") {
		t.Errorf("message = %q", f.Message)
	}
	online := solve(t, with(false), req)
	before := len(server.Requests())
	if offline := solve(t, with(true), req); offline.ID() != online.ID() {
		t.Error("offline gave another lock")
	}
	if after := len(server.Requests()); after != before {
		t.Errorf("offline made %d requests", after-before)
	}
}

func TestCanceledSolveReturnsAtOnceAndTheNextWorks(t *testing.T) {
	t.Parallel()
	server := testchannel.Serve(t)
	server.Hang("*")
	d := newDriver(t)
	ctx, cancel := context.WithCancel(t.Context())
	req := wants(t, server.Channel(), "packaging")
	done := make(chan error, 1)
	go func() {
		_, err := d.Solve(ctx, req, nil)
		done <- err
	}()
	if _, err := d.Info(t.Context()); err != nil { // the helper is there
		t.Fatal(err)
	}
	cancel()
	failure(t, <-done, driver.Canceled)
	server.Hang("")
	solve(t, d, req)
}

// said is a log that may be written by many.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func allText(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, leaf := range leaves(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, leaf))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// processes are the command lines of all that runs.
func processes(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have ended
		all.Write(text)
		all.WriteByte('\n')
	}
	return all.String()
}
