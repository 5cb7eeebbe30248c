package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/doctor"
)

// diagnose gives one check of `hopyard doctor`.
func diagnose(t *testing.T, name, settings string) doctor.Check {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hopyard.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := hopyard(t, "doctor", "--json", "--config", file).Output()
	var report doctor.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("doctor --json wrote %s: %v", out, err)
	}
	for _, c := range report.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("doctor does not speak of %q: %s", name, out)
	return doctor.Check{}
}

func TestDoctorSaysOfEachChannelWhyItCannotBeUsed(t *testing.T) {
	t.Parallel()
	prepared := os.Getenv("HOPYARD_TEST_PREPARED")
	if prepared == "" {
		t.Skip("HOPYARD_TEST_PREPARED names no prepared environment")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/closed/"):
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, "/repodata.json"):
			fmt.Fprint(w, `{"info":{},"packages":{},"packages.conda":{}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	const gone = "http://127.0.0.1:1" // nobody listens there, nor does anybody get that port
	check := diagnose(t, "Environments", fmt.Sprintf(
		"prepared: %s\nenvironments:\n  channels: [good]\n  channel_urls: {good: %s/good, closed: %s/closed, gone: %s/gone}\n  index: %s/simple\n",
		prepared, server.URL, server.URL, gone, server.URL))
	for _, want := range []string{"/good answers", "/closed cannot be used: ", "/gone cannot be used: ", "refused", "the package index answers"} {
		if check.Status != doctor.Warn || !strings.Contains(check.Found, want) {
			t.Errorf("doctor says %s: %s; want %q", check.Status, check.Found, want)
		}
	}
}

func TestDoctorFindsACacheThatCannotBeLinked(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	other, err := os.MkdirTemp("/dev/shm", "hopyard-")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(other)
	probe := filepath.Join(data, "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Link(probe, filepath.Join(other, "probe")) == nil {
		t.Skip("there is no other file system here")
	}
	if err := os.MkdirAll(filepath.Join(data, "envs", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c := diagnose(t, "Environment store", "data: "+data+"\n"); c.Status == doctor.Missing {
		t.Skipf("no environment can be built here: %s", c.Found)
	}
	if err := os.RemoveAll(filepath.Join(data, "envs", "pkgs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(data, "envs", "pkgs")); err != nil {
		t.Fatal(err)
	}
	c := diagnose(t, "Environment store", "data: "+data+"\n")
	if c.Status != doctor.Warn || !strings.Contains(c.Found, "cache pkgs") && !strings.Contains(c.Found, "free") && !strings.Contains(c.Found, "copied") {
		t.Errorf("doctor says %s: %s, want that the cache cannot be linked", c.Status, c.Found)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "envs", "*", ".doctor-*")); len(left) > 0 {
		t.Errorf("doctor left %q", left)
	}
}
