package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

func TestBuildsAreStartedCanceledAndActivated(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/builds", "", 202, "Build revision 0"},
		{"POST", "/builds", `{"revision":3}`, 202, "Build revision 3"},
		{"POST", "/builds/2/cancel", "", 202, "Cancel 2 by sam"},
		{"GET", "/builds/2/diff?from=1", "", 200, "Diff 1..2"},
		{"GET", "/builds/2/diff", "", 200, "Diff 0..2"},
		{"POST", "/activate", `{"build":2,"reason":"better"}`, 200, `Activate 2 "better" by sam`},
		{"POST", "/activate", `{"build":1}`, 202, `Activate 1 "" by sam`},
	} {
		s.call(t, "sam", c.method, base+"/base"+c.path, c.body, c.status, nil)
		if got := s.envs.last(); got != c.want {
			t.Errorf("%s %s asked for %q, want %q", c.method, c.path, got, c.want)
		}
	}
	for path, body := range map[string]string{"/builds": `{"revision":-1}`, "/activate": `{}`} {
		s.refused(t, "sam", "POST", base+"/base"+path, body, 400, problem.Invalid)
	}
	s.refused(t, "sam", "GET", base+"/base/builds/x", "", 404, problem.NotFound)
	s.refused(t, "sam", "GET", base+"/base/builds/9", "", 404, problem.NotFound)
	s.refused(t, "sam", "GET", base+"/base/builds/2/diff?from=x", "", 400, problem.Invalid)
}

func TestListsOfBuildsAndActivationsArePages(t *testing.T) {
	t.Parallel()
	s := open(t)
	var history list[envs.Activation]
	s.call(t, "sam", "GET", base+"/base/history?limit=1", "", 200, &history)
	if len(history.Items) != 1 || history.Items[0].Number != 2 || history.Next != "2" {
		t.Errorf("history = %+v, want the newest and a cursor", history)
	}
	s.call(t, "sam", "GET", base+"/base/history?limit=1&after=2", "", 200, &history)
	if len(history.Items) != 1 || history.Items[0].Number != 1 || history.Next != "" {
		t.Errorf("history = %+v, want the oldest", history)
	}
	var texts list[envs.Revision]
	s.call(t, "sam", "GET", base+"/base/revisions", "", 200, &texts)
	var builds list[envs.Build]
	s.call(t, "sam", "GET", base+"/base/builds", "", 200, &builds)
	if len(texts.Items) != 2 || len(builds.Items) != 1 {
		t.Errorf("%d revisions and %d builds, want 2 and 1", len(texts.Items), len(builds.Items))
	}
}

// past is what a build that has ended did.
var past = []driver.Event{
	{Seq: 1, Type: driver.TypeState, State: "solving"},
	{Seq: 2, Type: driver.TypeProgress, Phase: driver.Link, Done: 3, Total: 33},
	{Seq: 3, Type: driver.TypeLog, Text: "two\nlines"},
	{Seq: 4, Type: driver.TypeResult, State: "ready"},
}

func TestBuildEventsEndAfterTheResult(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.past = past
	var got []event
	for e := range s.hear(t, "sam", base+"/base/builds/2/events", "") {
		got = append(got, e)
	}
	if len(got) != len(past) {
		t.Fatalf("%d events, want %d: %+v", len(got), len(past), got)
	}
	for i, e := range got {
		var data driver.Event
		must(t, json.Unmarshal([]byte(e.data), &data))
		if e.name != string(past[i].Type) || data != past[i] || e.id == "" {
			t.Errorf("event %d = %+v, want %+v", i, e, past[i])
		}
	}
}

func TestBuildEventsGoOnWhereAClientWas(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.past = past
	var ids []string
	for e := range s.hear(t, "sam", base+"/base/builds/2/events", "2") {
		ids = append(ids, e.id)
	}
	if strings.Join(ids, " ") != "3 4" {
		t.Errorf("after 2 come %v, want 3 and 4", ids)
	}
	s.send(t, "GET", base+"/base/builds/2/events", "", 204, nil, "Authorization: Bearer "+s.tokens["sam"], "Last-Event-ID: 4")
}

func TestBuildEventsComeAsTheyHappen(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.builds[0].State = envs.Building
	s.envs.events = make(chan driver.Event)
	events := s.hear(t, "sam", base+"/base/builds/2/events", "")
	for _, e := range past {
		s.envs.events <- e
		next(t, events, func(got event) bool { return got.name == string(e.Type) })
	}
	close(s.envs.events)
	if _, more := <-events; more {
		t.Error("something follows the result")
	}
	s.refused(t, "eve", "GET", base+"/base/builds/2/events", "", 404, problem.NotFound)
	s.refused(t, "sam", "GET", base+"/base/builds/9/events", "", 404, problem.NotFound)
}

func TestRevocationEndsBuildEvents(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.builds[0].State = envs.Building
	s.envs.events = make(chan driver.Event)
	events := s.hear(t, "sam", base+"/base/builds/2/events", "")
	s.envs.events <- past[0]
	next(t, events, func(e event) bool { return e.name == "state" })
	must(t, s.people.RemoveMember(t.Context(), projects.By{}, "demo", "sam"))
	for e := range events { // ends with the test's own patience if the stream does not
		t.Errorf("after the revocation comes %+v", e)
	}
}

func TestExportsAreFilesOfTheRightKind(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.envs.lock = aLock()
	auth := "Authorization: Bearer " + s.tokens["sam"]
	for format, want := range map[string]struct{ mime, file string }{
		"spec":        {"application/yaml", "base-2-environment.yml"},
		"environment": {"application/yaml", "base-2-pinned.yml"},
		"explicit":    {"text/plain; charset=utf-8", "base-2-explicit.txt"},
		"conda-lock":  {"application/yaml", "base-2-conda-lock.yml"},
		"cyclonedx":   {"application/vnd.cyclonedx+json", "base-2.cdx.json"},
		"lock":        {"application/json", "base-2-lock.json"},
	} {
		resp := s.fetch(t, base+"/base/builds/2/export?format="+format, auth)
		if resp.status != 200 || resp.header.Get("Content-Type") != want.mime || resp.header.Get("Content-Disposition") != "attachment; filename="+want.file || resp.body == "" {
			t.Errorf("%s = %d %s %s %q, want %+v", format, resp.status, resp.header.Get("Content-Type"), resp.header.Get("Content-Disposition"), resp.body, want)
		}
		if format == "spec" && resp.body != "dependencies: [python=3.12]\n" {
			t.Errorf("spec = %q, want the text of the build's own revision", resp.body)
		}
	}
	s.refused(t, "sam", "GET", base+"/base/builds/2/export?format=docker", "", 400, problem.Invalid)
	s.refused(t, "sam", "GET", base+"/base/builds/2/export", "", 400, problem.Invalid)
}

func TestArchiveIsMadeAndDownloadedInParts(t *testing.T) {
	t.Parallel()
	s := open(t)
	path, auth := base+"/base/builds/2/archive", "Authorization: Bearer "+s.tokens["sam"]
	s.envs.archive = envs.Archive{State: envs.ArchiveNone}
	s.call(t, "sam", "GET", path, "", 200, nil)
	s.refused(t, "sam", "GET", path+"/file", "", 409, problem.Conflict)
	s.envs.archive.State = envs.ArchiveBuilding
	s.call(t, "sam", "POST", path, "", 202, nil)
	if got, want := s.envs.last(), "Archive 2 by sam"; got != want {
		t.Errorf("asked for %q, want %q", got, want)
	}

	file := filepath.Join(t.TempDir(), "a.tar.gz")
	must(t, os.WriteFile(file, []byte("0123456789"), 0o600))
	s.envs.archive = envs.Archive{State: envs.ArchiveReady, Path: file, Bytes: 10, SHA256: "abcd"}
	s.call(t, "sam", "POST", path, "", 200, nil)
	whole := s.fetch(t, path+"/file", auth)
	if whole.body != "0123456789" || whole.header.Get("Content-Type") != "application/gzip" || whole.header.Get("Content-Disposition") != "attachment; filename=base-2.tar.gz" {
		t.Errorf("archive = %+v", whole)
	}
	part := s.fetch(t, path+"/file", auth, "Range: bytes=4-", `If-Range: "abcd"`)
	if part.status != http.StatusPartialContent || part.body != "456789" {
		t.Errorf("the rest = %d %q, want the last six bytes", part.status, part.body)
	}
	if again := s.fetch(t, path+"/file", auth, `If-None-Match: "abcd"`); again.status != http.StatusNotModified {
		t.Errorf("known archive = %d, want 304", again.status)
	}
	s.envs.archive.Path = file + ".gone"
	s.refused(t, "sam", "GET", path+"/file", "", 500, problem.Internal)
}

type fetched struct {
	status int
	header http.Header
	body   string
}

// fetch makes a GET request and reads the answer as it is.
func (s *site) fetch(t *testing.T, path string, headers ...string) fetched {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+console.Base+path, nil)
	must(t, err)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := s.Client().Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return fetched{resp.StatusCode, resp.Header, string(body)}
}
