package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/internal/doctor"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// labPages are the routes of JupyterLab and Notebook before and after their files have been prepared. Until then requests are
// told how far it is.
type labPages struct {
	dir     dataDir // where the files are prepared
	fetcher wheels.Fetcher
	config  lab.Config // all but the Tree
	log     *slog.Logger

	mu     sync.Mutex // guards what follows
	routes []door.Route
	step   string
	last   error
	tree   *uilab.Tree
}

// Routes are the same before and after; only what they answer differs.
func (l *labPages) Routes() []door.Route {
	routes := new(lab.Handler).Routes()
	for i := range routes {
		routes[i].Handle = func(c echo.Context) error {
			ready, err := l.ready()
			if err != nil {
				return err
			}
			return ready[i].Handle(c)
		}
	}
	return routes
}

func (l *labPages) ready() ([]door.Route, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.routes != nil:
		return l.routes, nil
	case l.last != nil:
		return nil, problem.New(problem.Unavailable, "JupyterLab's files could not be prepared: %w", l.last)
	default:
		return nil, problem.New(problem.Unavailable, "JupyterLab's files are being prepared (%s); try again in a moment", l.step)
	}
}

// prepare fetches and unpacks what is missing.
func (l *labPages) prepare(ctx context.Context) error {
	l.note("unpacking", nil)
	l.fetcher.Progress = (&fetchLines{all: len(uilab.Pins()), tell: func(line string) {
		l.note(line, nil)
		progress("JupyterLab", line)
	}}).hear
	tree, err := uilab.Prepare(ctx, string(l.dir), &l.fetcher)
	if err != nil {
		l.note("", err)
		return err
	}
	config := l.config
	config.Tree = tree
	handler, err := lab.New(config)
	if err != nil {
		l.note("", err)
		return errors.Join(err, tree.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routes, l.tree = handler.Routes(), tree
	l.log.InfoContext(ctx, "lab ready", "lab", tree.LabVersion, "notebook", tree.NotebookVersion)
	return nil
}

func (l *labPages) note(step string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step, l.last = step, err
}

// Close closes the files. Call it when no request is served any more.
func (l *labPages) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tree == nil {
		return nil
	}
	return l.tree.Close()
}

// fetchLines tells of downloads, a line a second at most.
type fetchLines struct {
	all  int
	tell func(line string)
	seen int
	last time.Time
}

func (f *fetchLines) hear(p wheels.Progress) {
	if p.Phase == wheels.Ready {
		return
	}
	f.seen++
	if time.Since(f.last) < time.Second && f.seen < f.all {
		return
	}
	f.last = time.Now()
	f.tell(fmt.Sprintf("downloading %s, %d of %d", p.Wheel.Filename, f.seen, f.all))
}

// labCheck looks for prepared files without preparing any.
func labCheck(c Config) doctor.Check {
	check := doctor.Check{Name: "Lab bundle", Status: doctor.OK, Means: "the pages of JupyterLab and Notebook 7, unpacked once below the data directory"}
	folders, _ := filepath.Glob(filepath.Join(c.prepared().ui(), "[0-9a-f]*"))
	for _, folder := range folders {
		if tree, err := uilab.Open(folder); err == nil {
			check.Found = fmt.Sprintf("JupyterLab %s, Notebook %s at %s", tree.LabVersion, tree.NotebookVersion, folder)
			_ = tree.Close()
			return check
		}
	}
	check.Status, check.Found = doctor.Warn, "not unpacked yet"
	check.Mend = "`hopyard serve` unpacks it; the first start needs the network, or the wheels in its cache"
	return check
}

// progress writes a line for a person who waits.
func progress(what, line string) { fmt.Fprintf(os.Stderr, "%s: %s\n", what, line) }
