package console_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/hopyard/hopyard/workloads"
)

// event is one server-sent event.
type event struct{ name, id, data string }

// listen opens the event stream and yields its events until it ends, then closes the channel.
func (s *site) listen(t *testing.T, user, query, lastID string) <-chan event {
	t.Helper()
	return s.hear(t, user, "/events"+query, lastID)
}

// hear opens any event stream.
func (s *site) hear(t *testing.T, user, path, lastID string) <-chan event {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+console.Base+path, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+s.tokens[user])
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := s.Client().Do(req)
	must(t, err)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("events = %d %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	events := make(chan event, 100)
	go func() {
		defer close(events)
		defer func() { _ = resp.Body.Close() }()
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e != (event{}) {
					events <- e
				}
				e = event{}
			}
		}
	}()
	return events
}

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

// next waits for an event that passes.
func next(t *testing.T, events <-chan event, pass func(event) bool) event {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatal("the stream ended")
			}
			if pass(e) {
				return e
			}
		case <-late:
			t.Fatal("no such event came")
		}
	}
}

// change wants an event about a thing, and fails on one about what is forbidden.
func change(t *testing.T, events <-chan event, kind, project, id, forbidden string) event {
	t.Helper()
	return next(t, events, func(e event) bool {
		if forbidden != "" && strings.Contains(e.data, forbidden) {
			t.Errorf("event %+v tells of %q", e, forbidden)
		}
		var got struct{ Kind, Project, ID string }
		_ = json.Unmarshal([]byte(e.data), &got)
		return e.name == "change" && got.Kind == kind && got.Project == project && got.ID == id
	})
}

func TestEventsTellWhatOneMaySee(t *testing.T) {
	t.Parallel()
	s := open(t)
	sam, eve, admin := s.listen(t, "sam", "", ""), s.listen(t, "eve", "", ""), s.listen(t, "admin", "", "")
	for _, events := range []<-chan event{sam, eve, admin} {
		next(t, events, func(e event) bool { return e.id != "" })
	}
	s.runs.add(workloads.Info{ID: "k1", Project: "demo"})
	change(t, sam, "workloads", "demo", "k1", "")
	change(t, admin, "workloads", "demo", "k1", "")
	s.call(t, "sam", "PATCH", "/users/sam", `{"display_name":"Sam"}`, 200, nil)
	change(t, eve, "users", "", "sam", "k1") // everything before it has been dealt with

	// Eve learns of the project when she becomes a member, and of her own end there, and of nothing before and after.
	s.call(t, "olga", "PUT", "/projects/demo/members/eve", `{"role":"data_scientist"}`, 200, nil)
	change(t, eve, "members", "demo", "eve", "k1")
	s.runs.add(workloads.Info{ID: "k2", Project: "demo"})
	change(t, eve, "workloads", "demo", "k2", "k1")
	s.call(t, "olga", "DELETE", "/projects/demo/members/eve", "", 204, nil)
	change(t, eve, "members", "demo", "eve", "")
	s.runs.add(workloads.Info{ID: "k3", Project: "demo"})
	s.call(t, "sam", "POST", "/tokens", "", 201, nil)
	s.call(t, "eve", "POST", "/projects", `{"name":"eves"}`, 201, nil)
	change(t, eve, "projects", "eves", "eves", "k3")
	var tokens list[projects.Token]
	s.call(t, "eve", "POST", "/tokens", "", 201, nil)
	s.call(t, "eve", "GET", "/tokens", "", 200, &tokens)
	next(t, eve, func(e event) bool {
		var got struct{ Kind, ID string }
		_ = json.Unmarshal([]byte(e.data), &got)
		mine := false
		for _, token := range tokens.Items {
			mine = mine || token.ID == got.ID
		}
		if got.Kind == "tokens" && !mine {
			t.Errorf("eve is told of somebody else's token: %+v", e)
		}
		return got.Kind == "tokens" && mine
	})
}

func TestEventsOfOneProject(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.call(t, "sam", "POST", "/projects", `{"name":"sams"}`, 201, nil)
	events := s.listen(t, "sam", "?project=sams", "")
	next(t, events, func(e event) bool { return e.id != "" })
	s.runs.add(workloads.Info{ID: "k1", Project: "demo"})
	s.runs.add(workloads.Info{ID: "k2", Project: "sams"})
	change(t, events, "workloads", "sams", "k2", "k1")
	s.refused(t, "eve", "GET", "/events?project=sams", "", 404, problem.NotFound)
	s.refused(t, "eve", "GET", "/events?project=nothing", "", 404, problem.NotFound)
}

func TestEventsGoOnWhereAClientWas(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := s.listen(t, "sam", "", "")
	next(t, first, func(e event) bool { return e.id != "" })
	s.runs.add(workloads.Info{ID: "k1", Project: "demo"})
	seen := change(t, first, "workloads", "demo", "k1", "")
	s.runs.add(workloads.Info{ID: "k2", Project: "demo"})
	change(t, first, "workloads", "demo", "k2", "")

	again := s.listen(t, "sam", "", seen.id)
	change(t, again, "workloads", "demo", "k2", "k1")
	for _, unknown := range []string{"1", "99999999999999999999999", "x", "18446744073709551615"} {
		next(t, s.listen(t, "sam", "", unknown), func(e event) bool { return e.name == "resync" })
	}
}

func TestClientThatIsFarBehindIsToldToLookAtEverything(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := s.listen(t, "sam", "", "")
	start := next(t, first, func(e event) bool { return e.id != "" })
	for range 50 {
		for range 50 {
			s.runs.add(workloads.Info{ID: "k", Project: "demo"})
		}
	}
	s.runs.add(workloads.Info{ID: "last", Project: "demo"})
	next(t, first, func(e event) bool { return e.name == "resync" || strings.Contains(e.data, "last") })
	next(t, s.listen(t, "sam", "", start.id), func(e event) bool { return e.name == "resync" })
}

func TestRevocationEndsTheStream(t *testing.T) {
	t.Parallel()
	s := open(t)
	events := s.listen(t, "sam", "", "")
	next(t, events, func(e event) bool { return e.id != "" })
	yes := true
	_, err := s.people.UpdateUser(t.Context(), projects.By{}, "sam", projects.UserPatch{Disabled: &yes})
	must(t, err)
	late := time.After(patience)
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-late:
			t.Fatal("the stream goes on after the revocation")
		}
	}
}
