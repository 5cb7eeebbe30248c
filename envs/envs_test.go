package envs_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/internal/problem"
)

// preparer builds what the test tells it to.
type preparer struct {
	whole atomic.Bool
	build func(ctx context.Context, progress func(string)) error
}

func (d *preparer) Find() (envs.Prepared, bool) {
	return envs.Prepared{Name: "Python 3.11", Build: "b"}, d.whole.Load()
}

func (d *preparer) Build(ctx context.Context, progress func(string)) (envs.Prepared, error) {
	if err := d.build(ctx, progress); err != nil {
		return envs.Prepared{}, err
	}
	d.whole.Store(true)
	env, _ := d.Find()
	return env, nil
}

func resolver(d *preparer) *envs.Resolver {
	return envs.NewResolver(envs.ResolverConfig{Driver: d, Log: slog.New(slog.DiscardHandler)})
}

func TestResolveSaysHowFarThePreparationIs(t *testing.T) {
	t.Parallel()
	at, goOn := make(chan struct{}), make(chan struct{})
	d := &preparer{build: func(_ context.Context, progress func(string)) error {
		progress("wheels 12 of 60")
		close(at)
		<-goOn
		return nil
	}}
	r := resolver(d)
	done := make(chan error, 1)
	go func() { done <- r.Prepare(t.Context()) }()
	<-at
	_, err := r.Resolve(t.Context(), "demo")
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "wheels 12 of 60") {
		t.Errorf("Resolve during the build = %v, want a problem with the progress", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if env, err := r.Resolve(t.Context(), "demo"); err != nil || env.Build != "b" {
		t.Errorf("Resolve after the build = %v, %v, want the environment", env, err)
	}
}

func TestResolveSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	d := &preparer{build: func(context.Context, func(string)) error {
		return problem.New(problem.Unavailable, "no Python was found on PATH")
	}}
	r := resolver(d)
	if err := r.Prepare(t.Context()); err == nil {
		t.Fatal("Prepare = nil, want the driver's problem")
	}
	_, err := r.Resolve(t.Context(), "demo")
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "no Python was found") {
		t.Errorf("Resolve = %v, want the driver's reason", err)
	}
}
