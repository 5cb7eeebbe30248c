package makers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/venv"
)

// choice is how new environments are made, and the solved content of the first ones. It is kept, so that the next start asks
// nobody.
type choice struct {
	// Asked is what it was made from: when that changes, it is made anew.
	Asked string     `json:"asked"`
	Kind  lock.Kind  `json:"kind"`
	Why   string     `json:"why"`
	Text  string     `json:"text"`
	Lock  *lock.Lock `json:"lock"`
	Made  time.Time  `json:"made"`
}

// A choice is looked at anew after so long: a channel may answer by then, or have newer packages.
const (
	goodConda = 30 * 24 * time.Hour
	goodVenv  = 24 * time.Hour
)

// patience is how long channels may take to answer before a gateway starts without them.
const patience = 15 * time.Second

// slow says that they have taken longer.
func slow(limit time.Duration) error { return fmt.Errorf("no answer within %s", limit) }

// choose decides how new environments are made, and with what content the first one of a project begins.
func (m *Makers) choose(ctx context.Context) error {
	asked := m.asked()
	old, err := m.readChoice()
	if err != nil {
		m.cfg.Log.WarnContext(ctx, "first environment is chosen anew", "reason", err)
	}
	if old != nil && old.Asked == asked && (m.cfg.Offline || old.fresh(time.Now())) {
		m.take(old)
		return nil
	}
	chosen, err := m.decide(ctx)
	if err != nil {
		return err
	}
	chosen.Asked, chosen.Made = asked, time.Now().UTC()
	if err := m.writeChoice(chosen); err != nil {
		return err
	}
	m.take(chosen)
	return nil
}

func (c *choice) fresh(now time.Time) bool {
	limit := goodConda
	if c.Kind == lock.Venv {
		limit = goodVenv
		if c.Lock != nil && c.Lock.Base != nil {
			if _, err := os.Stat(c.Lock.Base.Path); err != nil {
				return false // the interpreter that it stands on has gone
			}
		}
	}
	return now.Sub(c.Made) < limit
}

func (m *Makers) take(c *choice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.choice = c
}

// asked names all that decides a choice.
func (m *Makers) asked() string {
	b, _ := json.Marshal([]any{m.cfg.Kind, string(m.cfg.Starter), m.cfg.Python, m.cfg.Rules})
	return string(b)
}

// decide asks the channels, and falls back on the package index where they do not answer. What comes with Hopyard is there in
// either form; what a site wants instead is solved where its channels answer, or not at all.
func (m *Makers) decide(ctx context.Context) (*choice, error) {
	text := m.cfg.Starter
	if text == nil {
		text = venv.StarterText()
	}
	s, err := spec.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the starter's environment.yml: %w", err)
	}
	switch m.cfg.Kind {
	case lock.Conda:
		return m.fromChannels(ctx, s, "the configuration says so")
	case lock.Venv:
		return m.fromIndex(ctx, s, "the configuration says so")
	}
	channels := m.named(s)
	m.wake(ctx)
	limited, cancel := context.WithTimeoutCause(ctx, m.cfg.Patience, slow(m.cfg.Patience))
	defer cancel()
	chosen, cause := m.fromChannels(limited, s, channels+" answers")
	if cause == nil || ctx.Err() != nil {
		return chosen, cause
	}
	if answered(cause) && m.cfg.Starter != nil { // what the site wants is wrong, or its channels are: another kind would hide that
		return nil, unsolved(channels, cause)
	}
	m.cfg.Log.WarnContext(ctx, "environments are made from the package index", "because", cause)
	chosen, err = m.fromIndex(ctx, s, instead(channels, cause))
	if err != nil {
		return nil, fmt.Errorf("%w; and %s cannot be used: %s", err, channels, sentence(cause))
	}
	return chosen, nil
}

// wake has the tool that asks channels start: how long that takes on a busy host is no word of theirs. What is wrong with it is said
// when it is asked.
func (m *Makers) wake(ctx context.Context) {
	if d, err := m.Driver(lock.Conda); err == nil {
		_, _ = d.Info(ctx)
	}
}

// answered reports whether channels were there, and had not what a spec asks for.
func answered(err error) bool {
	f, ok := errors.AsType[*driver.Failure](err)
	return ok && (f.Cause == driver.PackageMissing || f.Cause == driver.Unsatisfiable)
}

// instead says why what comes with Hopyard is not from channels. Those that answer serve whoever names them: that they lack something
// which the first environment needs is no reason against them.
func instead(channels string, cause error) string {
	if answered(cause) {
		return fmt.Sprintf("%s answers, but has not all that a first environment needs: %s; an environment.yml that names its channels is made from them",
			channels, sentence(cause))
	}
	return fmt.Sprintf("%s cannot be used: %s", channels, sentence(cause))
}

// unsolved says why, with the whole tree of a conflict.
func unsolved(channels string, err error) error {
	if f := driver.FailureOf(err); f.Tree != "" {
		return fmt.Errorf("%s has no solution for the starter's environment.yml: %w\n%s", channels, err, f.Tree)
	}
	return fmt.Errorf("%s has no solution for the starter's environment.yml: %w", channels, err)
}

// anybodys are the rules for what every project gets: without the private channels, which are for some alone.
func (m *Makers) anybodys() policy.Rules { return m.cfg.Rules.For("") }

// named are the channels that a spec is solved with, as people call them.
func (m *Makers) named(s *spec.Spec) string {
	names := s.Channels
	if len(names) == 0 {
		names = m.anybodys().Defaults()
	}
	return strings.Join(names, ", ")
}

// sentence is the first line of why channels cannot be used.
func sentence(err error) string {
	line, _, _ := strings.Cut(driver.FailureOf(err).Message, "\n")
	return line
}

func (m *Makers) fromChannels(ctx context.Context, s *spec.Spec, why string) (*choice, error) {
	channels := m.anybodys().Channels(s)
	m.tell("asking %s", m.named(s))
	d, err := m.Driver(lock.Conda)
	if err != nil {
		return nil, err
	}
	l, err := d.Solve(ctx, driver.Request{
		Spec: s, Channels: channels, Index: m.cfg.Rules.Index, MinimumAgeSeconds: int64(m.cfg.Rules.MinimumAge.Seconds()),
	}, func(driver.Event) {})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	return &choice{Kind: lock.Conda, Why: "packages come from conda channels: " + why, Text: string(s.Text), Lock: l}, nil
}

// fromIndex takes the content that comes with Hopyard, or solves the site's own.
func (m *Makers) fromIndex(ctx context.Context, s *spec.Spec, why string) (*choice, error) {
	c := &choice{Kind: lock.Venv, Why: "packages come from the package index: " + why, Text: string(s.Text)}
	d, err := m.Driver(lock.Venv)
	if err != nil {
		return nil, err
	}
	if m.cfg.Starter == nil {
		base, err := venv.FindBase(ctx, m.cfg.Python)
		if err != nil {
			return nil, err
		}
		_, c.Lock, err = venv.Starter(base)
		return c, err
	}
	m.tell("solving the first environment")
	c.Lock, err = d.Solve(ctx, driver.Request{Spec: s, Index: m.cfg.Rules.Index, MinimumAgeSeconds: int64(m.cfg.Rules.MinimumAge.Seconds())}, func(driver.Event) {})
	return c, err
}

func (m *Makers) choicePath() string { return filepath.Join(m.cfg.Dir, "starter.json") }

// readChoice gives the choice of an earlier start; nil if there is none.
func (m *Makers) readChoice() (*choice, error) {
	b, err := os.ReadFile(m.choicePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c choice
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

func (m *Makers) writeChoice(c *choice) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keep the choice: %w", err)
	}
	draft := m.choicePath() + ".new"
	if err := os.WriteFile(draft, b, 0o600); err != nil {
		return fmt.Errorf("keep the choice: %w", err)
	}
	return os.Rename(draft, m.choicePath())
}
