package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/projects"
)

// site is what a data directory remembers: its database and the people and projects in it. Several processes may have the
// same one open.
type site struct {
	db     *sqlite.DB
	people *projects.Service
}

func openSite(ctx context.Context, dir dataDir, log *slog.Logger) (*site, error) {
	db, err := sqlite.Open(ctx, dir.database(), log)
	if err != nil {
		return nil, err
	}
	return &site{db: db, people: projects.Open(db.Storage(), projects.Options{Log: log})}, nil
}

// Close ends what the site does in the background and closes its database.
func (s *site) Close() error {
	return errors.Join(s.people.Close(), s.db.Close())
}

// The site's first account and the project that shows what there is.
const (
	adminName = "admin"
	demoName  = "demo"
)

// setUp makes the administrator, the first token and, if asked for, the project demo. A first start that was killed half-way is taken up again: the note that it is
// unfinished goes last. A token that somebody removed later stays removed.
func (s *site) setUp(ctx context.Context, dir dataDir, demo bool) error {
	if _, err := s.people.EnsureAdmin(ctx); err != nil {
		return fmt.Errorf("make the administrator: %w", err)
	}
	if err := s.firstToken(ctx, dir); err != nil {
		return err
	}
	if !demo {
		return nil
	}
	_, err := s.people.EnsureProject(ctx, demoName, "What there is to try.", adminName)
	if problem.Is(err, problem.NotFound) { // an administrator of another name took over
		return nil
	}
	return err
}

func (s *site) firstToken(ctx context.Context, dir dataDir) error {
	note := dir.unfinished()
	if _, err := os.Stat(note); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	_, secret, err := s.people.CreateToken(ctx, projects.By{}, projects.NewToken{User: adminName, Note: "first start"})
	if err != nil {
		return fmt.Errorf("make the first token: %w", err)
	}
	draft := dir.bootstrap() + ".new"
	if err := os.WriteFile(draft, []byte(secret+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the first token: %w", err)
	}
	if err := os.Rename(draft, dir.bootstrap()); err != nil {
		return fmt.Errorf("write the first token: %w", err)
	}
	return os.Remove(note)
}

// noteFirstStart writes down that a directory without a database is about to get one.
func (d dataDir) noteFirstStart() error {
	if _, err := os.Stat(d.database()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.unfinished()), 0o700); err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	return os.WriteFile(d.unfinished(), nil, 0o600)
}

func (d dataDir) unfinished() string { return filepath.Join(string(d), "bootstrap", "unfinished") }
