package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// gatherFor is how long changes that come close together wait to go out together.
const gatherFor = 100 * time.Millisecond

// errEnded ends a stream for a good reason.
var errEnded = errors.New("stream ended")

// stream is one client of the event stream.
type stream struct {
	api     *API
	c       echo.Context
	out     *eventWriter
	who     *door.Caller
	project string // only this one's changes; empty means all that the caller may see
	at      uint64 // number of the last change that was dealt with
	sees    map[string]bool
	over    context.Context // until the client has gone or must go
}

// events streams what changes, as server-sent events, until the client goes, loses its rights, or the server stops.
func (a *API) events(c echo.Context) error {
	s := &stream{api: a, c: c, out: newEventWriter(c), who: door.CallerOf(c), project: c.QueryParam("project"), sees: map[string]bool{}}
	if s.project != "" {
		sees, err := s.maySee(s.project)
		if err != nil {
			return err
		}
		if !sees {
			return problem.New(problem.NotFound, "there is no project %q, or you are not a member of it", s.project)
		}
	}
	var stop context.CancelFunc
	s.over, stop = until(c, s.who)
	defer stop()
	defer s.out.close()
	if err := s.begin(); err != nil {
		return err
	}
	for {
		if err := s.step(); err != nil {
			return nil // the client is gone, or must go; there is nobody to tell
		}
	}
}

// begin sends the head, and either where the client is or that it has missed something.
func (s *stream) begin() error {
	s.out.head()
	s.at = s.api.feed.now()
	last := s.c.Request().Header.Get("Last-Event-ID")
	if last == "" {
		return s.out.write(fmt.Sprintf("retry: 2000\nid: %d\n\n", s.at))
	}
	number, err := strconv.ParseUint(last, 10, 64)
	if _, _, ok := s.api.feed.since(number); err != nil || !ok {
		return s.out.write("retry: 2000\n" + resync(s.at))
	}
	s.at = number
	return s.out.write("retry: 2000\n\n")
}

func resync(at uint64) string { return fmt.Sprintf("event: resync\nid: %d\ndata: {}\n\n", at) }

// step sends what there is, then waits for more.
func (s *stream) step() error {
	rung := s.api.feed.bell.Heard()
	changes, last, ok := s.api.feed.since(s.at)
	s.at = last
	if !ok {
		if err := s.out.write(resync(last)); err != nil {
			return err
		}
	}
	if err := s.send(changes); err != nil {
		return err
	}
	ping := time.NewTimer(pingEvery)
	defer ping.Stop()
	select {
	case <-rung:
		return s.wait(gatherFor)
	case <-ping.C:
		return s.out.ping()
	case <-s.over.Done():
		return errEnded
	}
}

// wait lets changes gather for a moment.
func (s *stream) wait(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-s.over.Done():
		return errEnded
	}
}

func (s *stream) send(changes []change) error {
	var text []byte
	for _, c := range changes {
		concerns, err := s.concerns(c)
		if err != nil {
			return err
		}
		if c.kind == projects.Resync {
			text = append(text, resync(c.id)...)
		} else if concerns {
			text = append(text, c.event()...)
		}
	}
	if len(text) == 0 {
		return nil
	}
	return s.out.write(string(text))
}

func (c change) event() string {
	data, _ := json.Marshal(map[string]any{"kind": c.kind, "project": c.project, "id": c.name}) // strings only
	return fmt.Sprintf("event: change\nid: %d\ndata: %s\n\n", c.id, data)
}

// concerns reports whether the client may know of a change, and wants to.
func (s *stream) concerns(c change) (bool, error) {
	if s.project != "" && c.project != s.project {
		return false, nil
	}
	if c.project == "" {
		return c.kind != projects.KindTokens || c.user == s.who.User, nil
	}
	before := s.sees[c.project]
	if c.kind != kindWorkloads && c.kind != kindEnvironments {
		delete(s.sees, c.project)
	}
	now, err := s.maySee(c.project)
	return now || before || c.user == s.who.User, err
}

// maySee reports whether the client may know of what happens in a project.
func (s *stream) maySee(project string) (bool, error) {
	if sees, known := s.sees[project]; known {
		return sees, nil
	}
	ctx := s.c.Request().Context()
	_, err := s.api.people.Member(ctx, project, s.who.User)
	if problem.Is(err, problem.NotFound) && s.who.Admin {
		_, err = s.api.people.Project(ctx, project)
	}
	if err != nil && !problem.Is(err, problem.NotFound) {
		return false, err
	}
	s.sees[project] = err == nil
	return err == nil, nil
}
