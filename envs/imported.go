package envs

import (
	"context"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/internal/problem"
)

// imported makes a source of a lock that somebody sent: of what is in it, artifacts and hashes count, where the rules allow their
// addresses; the sources of the artifacts tell the rest.
func (s *Service) imported(ctx context.Context, project, name string, sent *lock.Lock, src *source) error {
	if err := sent.Check(); err != nil {
		return problem.New(problem.Invalid, "the lock cannot be used: %w", err)
	}
	bare, rules := sent.Bare(), s.rules(project, nil)
	// One that is known here needs nobody's word, and what its channel has dropped may be in the caches.
	if known, err := s.LockByID(ctx, bare.Claimed()); err == nil && known.Bare().ID() == bare.ID() {
		if src.lock = known; src.text != "" {
			return nil
		}
	}
	d, at, err := s.places(ctx, sent.Kind, rules)
	if err != nil {
		return err
	}
	if src.lock == nil {
		if err := denied(rules.CheckImport(bare, at)); err != nil { // before anything of it is asked for
			return err
		}
		if src.lock, err = d.Complete(ctx, bare, rules.Index); err != nil {
			return explained(err)
		}
	}
	if src.text == "" {
		src.text, err = textOf(src.lock, name, at)
	}
	return err
}

// places gives the driver of a kind, and the addresses that stand behind what the rules name.
func (s *Service) places(ctx context.Context, kind lock.Kind, rules policy.Rules) (driver.Driver, driver.Places, error) {
	d, err := s.cfg.Drivers.Driver(kind)
	if err != nil {
		return nil, driver.Places{}, err
	}
	at, err := d.Places(ctx, rules.Unresolved())
	if err != nil {
		return nil, at, explained(err)
	}
	return d, at, nil
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
