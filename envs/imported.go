package envs

import (
	"context"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
)

// imported makes a source of a lock that somebody sent: of what is in it, artifacts and hashes count, where the rules allow their
// addresses; the sources of the artifacts tell the rest.
func (s *Service) imported(ctx context.Context, project, name string, sent *lock.Lock, src *source) error {
	if err := sent.Check(); err != nil {
		return problem.New(problem.Invalid, "the lock cannot be used: %w", err)
	}
	d, err := s.cfg.Drivers.Driver(sent.Kind)
	if err != nil {
		return err
	}
	rules := s.rules(project, nil)
	at, err := d.Places(ctx, rules.Unresolved())
	if err != nil {
		return explained(err)
	}
	bare := sent.Bare()
	if err := denied(rules.CheckImport(bare, at)); err != nil { // before anything of it is asked for
		return err
	}
	if src.lock, err = d.Complete(ctx, bare, rules.Index); err != nil {
		return explained(err)
	}
	if src.text == "" {
		src.text, err = textOf(src.lock, name, at)
	}
	return err
}

// textOf is an environment.yml of what is in a lock, with the names of channels where they have one.
func textOf(l *lock.Lock, name string, at driver.Places) (string, error) {
	named := *l
	named.Channels = slices.Clone(l.Channels)
	for i, channel := range named.Channels {
		for name, address := range at.Channels {
			if strings.TrimRight(address, "/") == strings.TrimRight(channel, "/") {
				named.Channels[i] = name
			}
		}
	}
	text, err := named.Export(lock.Environment, name)
	if err != nil {
		return "", problem.New(problem.Invalid, "the lock cannot be written as an environment.yml: %w", err)
	}
	return string(text), nil
}
