package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/hopyard/hopyard/gateway/jupyter/lab"
	"github.com/hopyard/hopyard/internal/problem"
	uilab "github.com/hopyard/hopyard/ui/lab"
)

// labPages are the pages of JupyterLab and Notebook, whose files are prepared while the gateway serves already.
type labPages struct {
	configured Config
	lab        lab.Config // all but the Tree
	log        *slog.Logger
	late       lab.Late

	mu   sync.Mutex // guards tree
	tree *uilab.Tree
}

// prepare fetches and unpacks what is missing.
func (l *labPages) prepare(ctx context.Context) error {
	tree, err := prepareLab(ctx, l.configured, func(line string) {
		l.late.Explain(problem.New(problem.Unavailable, "JupyterLab's files are being prepared (%s); try again in a moment", line))
		progress("JupyterLab", line)
	})
	if err != nil {
		l.late.Explain(problem.New(problem.Unavailable, "JupyterLab's files could not be prepared: %w", err))
		return err
	}
	config := l.lab
	config.Tree = tree
	handler, err := lab.New(config)
	if err != nil {
		return errors.Join(err, tree.Close())
	}
	l.mu.Lock()
	l.tree = tree
	l.mu.Unlock()
	l.late.Set(handler)
	l.log.InfoContext(ctx, "lab ready", "lab", tree.LabVersion, "notebook", tree.NotebookVersion)
	return nil
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
