package build_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
)

// fake is a driver whose installation is a function.
type fake struct {
	driver.Driver // nil: nothing else is called

	install func(ctx context.Context, at driver.Place, tell driver.Sink) error
}

func (f fake) Install(ctx context.Context, l *lock.Lock, at driver.Place, tell driver.Sink) error {
	for _, phase := range []driver.Phase{driver.Fetch, driver.Link} {
		tell(driver.Event{Type: driver.TypeState, Phase: phase})
	}
	if err := writeRecords(l, at.Prefix); err != nil {
		return err
	}
	return f.install(ctx, at, tell)
}

func (fake) Close() error { return nil }

// writeRecords makes conda-meta as an installer does.
func writeRecords(l *lock.Lock, prefix string) error {
	if err := os.MkdirAll(filepath.Join(prefix, "conda-meta"), 0o755); err != nil {
		return err
	}
	for _, p := range l.Packages {
		b, err := json.Marshal(map[string]any{
			"build": p.Build, "depends": p.Depends, "name": p.Name, "sha256": p.SHA256, "version": p.Version, "files": []string{},
		})
		if err == nil {
			err = os.WriteFile(filepath.Join(prefix, "conda-meta", p.Name+"-"+p.Version+"-"+p.Build+".json"), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lockOf is a lock of packages that nobody has.
func lockOf(names ...string) *lock.Lock {
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64", Channels: []string{"https://channel.example/made"}}
	for _, n := range names {
		sum := sha256.Sum256([]byte(n))
		l.Packages = append(l.Packages, lock.Package{
			Name: n, Version: "1.0", Build: "0", Subdir: "noarch", URL: "https://channel.example/made/noarch/" + n + "-1.0-0.conda",
			SHA256: hex.EncodeToString(sum[:]), Size: 1000, Noarch: "generic", License: "MIT",
		})
	}
	return l
}

// made builds a lock whose installation writes the files, and gives what came of it.
func made(t *testing.T, s *store.Store, o store.Order, install func(ctx context.Context, at driver.Place, tell driver.Sink) error) (*store.Manifest, error) {
	t.Helper()
	return madeIn(t, t.Context(), s, o, install)
}

func madeIn(t *testing.T, ctx context.Context, s *store.Store, o store.Order, install func(ctx context.Context, at driver.Place, tell driver.Sink) error) (*store.Manifest, error) {
	t.Helper()
	if o.Lock == nil {
		o.Lock = lockOf("made")
	}
	id := store.ID(o.Lock, o.Options)
	if err := s.Order(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	err := build.Run(ctx, build.Config{Store: s, ID: id, Driver: func(*store.Store, *store.Order) (driver.Driver, error) {
		return fake{install: install}, nil
	}})
	m, _ := s.Find(id)
	return m, err
}

// files is an installation that writes these files, by their path; a text that begins with "-> " is a symlink.
func files(texts map[string]string) func(context.Context, driver.Place, driver.Sink) error {
	return func(_ context.Context, at driver.Place, _ driver.Sink) error {
		for name, text := range texts {
			path := filepath.Join(at.Prefix, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			var err error
			if target, ok := strings.CutPrefix(text, "-> "); ok {
				err = os.Symlink(target, path)
			} else {
				err = os.WriteFile(path, []byte(text), 0o644)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// executable makes files of an installation executable.
func executable(install func(context.Context, driver.Place, driver.Sink) error, names ...string) func(context.Context, driver.Place, driver.Sink) error {
	return func(ctx context.Context, at driver.Place, tell driver.Sink) error {
		err := install(ctx, at, tell)
		for _, n := range names {
			if err == nil {
				err = os.Chmod(filepath.Join(at.Prefix, n), 0o755)
			}
		}
		return err
	}
}
