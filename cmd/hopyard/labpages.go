package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/internal/problem"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/labstack/echo/v4"
)

// labPages are the routes of JupyterLab and Notebook before and after their files have been prepared. Until then requests are
// told how far it is.
type labPages struct {
	configured Config
	lab        lab.Config // all but the Tree
	log        *slog.Logger

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
	tree, err := prepareLab(ctx, l.configured, func(line string) {
		l.note(line, nil)
		progress("JupyterLab", line)
	})
	if err != nil {
		l.note("", err)
		return err
	}
	config := l.lab
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
