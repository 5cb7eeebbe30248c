package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/apiclient"
)

// follow shows a build's events until its result and gives the build then. Ctrl-C ends the following, not the build.
func (s *scope) follow(ctx context.Context, b envs.Build, out io.Writer) (envs.Build, json.RawMessage, error) {
	view := newBuildView(out, b.Number)
	err := s.Follow(ctx, s.env(b.Environment, "builds", strconv.Itoa(b.Number), "events"), "", view.hear)
	view.clear()
	if ctx.Err() != nil {
		fmt.Fprintf(out, "build %d of %s goes on; `hopyard env log %s %d` follows it again, `hopyard env cancel %s %d` ends it\n",
			b.Number, b.Environment, b.Environment, b.Number, b.Environment, b.Number)
		return b, nil, errTold
	}
	if err != nil {
		return b, nil, told(err)
	}
	raw, err := s.get(ctx, s.env(b.Environment, "builds", strconv.Itoa(b.Number)), nil, &b)
	return b, raw, err
}

// buildView shows events as they come: on a terminal as a line that changes, elsewhere as lines.
type buildView struct {
	out     io.Writer
	columns int // of the terminal; 0 where there is none
	build   int
	drawn   bool // the line that changes is there
	phase   driver.Phase
	state   string
	last    time.Time // of the last plain line about progress
	said    string    // which was this
}

func newBuildView(out io.Writer, build int) *buildView {
	return &buildView{out: out, columns: columnsOf(out), build: build}
}

// plainEvery is how often progress is worth a line where lines stay.
const plainEvery = 5 * time.Second

// hear shows one event. The result may be the last: a build that is restored goes on behind it.
func (p *buildView) hear(raw apiclient.Event) (last bool) {
	var e driver.Event
	if json.Unmarshal(raw.Data, &e) != nil {
		return false
	}
	switch e.Type {
	case driver.TypeResult:
	case driver.TypeLog:
		p.line("%s", e.Text)
	case driver.TypeState:
		p.stands(e)
	case driver.TypeProgress:
		p.progress(e)
	}
	return e.Type == driver.TypeResult
}

// stands says what is new about where the build stands.
func (p *buildView) stands(e driver.Event) {
	var words []string
	if e.State != "" && e.State != p.state {
		p.state = e.State
		words = append(words, e.State)
	}
	if e.Phase != "" && e.Phase != p.phase {
		p.phase = e.Phase
		words = append(words, string(e.Phase))
	}
	if e.Text != "" {
		words = append(words, e.Text)
	}
	if len(words) > 0 {
		p.line("%s", strings.Join(words, ", "))
	}
}

// line writes a line that stays.
func (p *buildView) line(format string, args ...any) {
	p.clear()
	fmt.Fprintf(p.out, "build %d: %s\n", p.build, fmt.Sprintf(format, args...))
}

// clear takes the line that changes away.
func (p *buildView) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *buildView) progress(e driver.Event) {
	if p.columns == 0 {
		text := amounts(e)
		if done := e.Total > 0 && e.Done == e.Total; text != p.said && (done || time.Since(p.last) >= plainEvery) {
			p.last, p.said = time.Now(), text
			p.line("%s", text)
		}
		return
	}
	text := fmt.Sprintf("build %d: %s %s", p.build, bar(e), amounts(e))
	if e.Package != "" {
		text += "  " + e.Package
	}
	if runes := []rune(text); len(runes) >= p.columns {
		text = string(runes[:p.columns-1])
	}
	fmt.Fprint(p.out, "\r\x1b[K"+text)
	p.drawn = true
}

// amounts says how far a phase is: "link 12 of 33 packages, 4.1 MB of 98 MB".
func amounts(e driver.Event) string {
	text := string(e.Phase)
	if e.Total > 0 {
		what := "packages"
		if e.Phase == driver.Finish {
			what = "files"
		}
		text += fmt.Sprintf(" %d of %d %s", e.Done, e.Total, what)
	}
	switch {
	case e.TotalBytes > 0:
		text += fmt.Sprintf(", %s of %s", size(e.Bytes), size(e.TotalBytes))
	case e.Bytes > 0:
		text += ", " + size(e.Bytes)
	}
	return text
}

// bar is twenty cells of which as many are full as is done, by bytes where they are known.
func bar(e driver.Event) string {
	const cells = 20
	part := 0.0
	switch {
	case e.TotalBytes > 0:
		part = float64(e.Bytes) / float64(e.TotalBytes)
	case e.Total > 0:
		part = float64(e.Done) / float64(e.Total)
	}
	full := int(min(max(part, 0), 1) * cells)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]"
}

// errBuild says how a build has ended that is not ready.
func errBuild(b envs.Build) error {
	switch {
	case b.Failure != nil:
		return fmt.Errorf("build %d of %s has failed: %w", b.Number, b.Environment, failedError{b.Failure})
	case b.State == envs.CanceledS:
		return fmt.Errorf("build %d of %s has been canceled", b.Number, b.Environment)
	case b.State == envs.Failed:
		return fmt.Errorf("build %d of %s has failed", b.Number, b.Environment)
	case !b.State.Ended():
		return errors.New("the build goes on")
	}
	return nil
}
