package makers_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/build"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/makers"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools/toolstest"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// TestMain is the builder, too: `hopyard build` in small.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "build" {
		s, err := store.Open(os.Args[3])
		if err == nil {
			err = build.Run(context.Background(), build.Config{Store: s, ID: os.Args[5], Log: slog.New(slog.DiscardHandler)})
		}
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// config has a store of its own and the channel of srv.
func config(t *testing.T, srv *testchannel.Server, starter string) makers.Config {
	t.Helper()
	tools := toolstest.Tools(t)
	s, err := store.Open(filepath.Join(t.TempDir(), "envs"))
	if err != nil {
		t.Fatal(err)
	}
	return makers.Config{
		Dir: t.TempDir(), ToolsDir: filepath.Dir(filepath.Dir(filepath.Dir(tools.Python))), Store: s,
		Rules: policy.Rules{
			DefaultChannels: []string{"conda-forge"}, ChannelURLs: map[string]string{"conda-forge": srv.Channel()}, Index: srv.Simple(),
		},
		Starter: []byte(starter), Builder: []string{os.Args[0], "build"}, BuilderEnv: os.Environ(), Log: slog.New(slog.DiscardHandler),
		Patience: 2 * time.Minute, // however busy the machine is
	}
}

func prepare(t *testing.T, c makers.Config) *makers.Makers {
	t.Helper()
	m := makers.New(c)
	t.Cleanup(func() { _ = m.Close() })
	if err := m.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestChannelsThatAnswerAreUsed(t *testing.T) {
	t.Parallel()
	srv := testchannel.Serve(t)
	c := config(t, srv, "name: python\ndependencies:\n  - activates\n")
	m := prepare(t, c)
	if kind, why, err := m.Kind(t.Context()); err != nil || kind != lock.Conda || !strings.Contains(why, "answers") {
		t.Errorf("Kind() = %q, %q, %v, want conda because the channel answers", kind, why, err)
	}
	starter, err := m.Starter(t.Context())
	if err != nil || starter.Kind != lock.Conda || len(starter.Lock.Packages) != 1 || !strings.Contains(starter.Text, "activates") {
		t.Errorf("Starter() = %+v, %v", starter, err)
	}
	first, ok := m.First()
	if !ok {
		t.Fatal("the first environment has not been built")
	}
	if _, err := os.Stat(filepath.Join(first.Prefix, "conda-meta", "frozen")); err != nil {
		t.Error(err)
	}

	asked := len(srv.Requests())
	again := prepare(t, c)
	if n := len(srv.Requests()); n != asked {
		t.Errorf("the second start asked the channel %d times, want none: the choice is kept", n-asked)
	}
	if second, ok := again.First(); !ok || second.ID != first.ID {
		t.Error("the second start made another environment")
	}
}

func TestWithoutChannelsThePackageIndexIsUsed(t *testing.T) {
	t.Parallel()
	c := config(t, testchannel.Serve(t), "name: python\ndependencies:\n  - python >=3.11\n  - idna\n")
	c.Rules.ChannelURLs = map[string]string{"conda-forge": nobody}
	m := prepare(t, c)
	kind, why, err := m.Kind(t.Context())
	if err != nil || kind != lock.Venv || !strings.Contains(why, "package index") || !strings.Contains(why, "cannot be") {
		t.Errorf("Kind() = %q, %q, %v, want venv because the channel cannot be reached", kind, why, err)
	}
	first, ok := m.First()
	if !ok || first.Kind != lock.Venv || len(first.Packages) != 1 || first.Packages[0].Name != "idna" {
		t.Errorf("First() = %+v, %v", first, ok)
	}
}

func TestWhatChannelsCannotSolveIsSaidAndNotHidden(t *testing.T) {
	t.Parallel()
	srv := testchannel.Serve(t)
	for starter, want := range map[string]string{
		"name: python\ndependencies:\n  - python >=3.11\n  - no-such-package\n": "no-such-package",
		"name: python\ndependencies:\n  - conflict-left\n  - conflict-right\n":  "conflict-base 1.0",
	} {
		m := makers.New(config(t, srv, starter))
		t.Cleanup(func() { _ = m.Close() })
		if err := m.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "conda-forge has no solution") {
			t.Errorf("Prepare() = %v, want the channels' own reason with %q", err, want)
		}
		_, _, err := m.Kind(t.Context())
		if f := driver.FailureOf(err); !problem.Is(err, problem.Unavailable) || !strings.Contains(f.Message+f.Tree, want) || !strings.Contains(f.Message, "hopyard doctor") {
			t.Errorf("Kind() = %v with the tree %q, want the same reason and what to do", err, f.Tree)
		}
	}
}

func TestWhenNeitherChannelsNorTheIndexServeBothAreTold(t *testing.T) {
	t.Parallel()
	c := config(t, testchannel.Serve(t), "name: python\ndependencies:\n  - python >=3.11\n  - no-such-package\n")
	c.Rules.ChannelURLs = map[string]string{"conda-forge": nobody}
	m := makers.New(c)
	t.Cleanup(func() { _ = m.Close() })
	if err := m.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "no-such-package") || !strings.Contains(err.Error(), "conda-forge cannot be used") {
		t.Errorf("Prepare() = %v, want both reasons", err)
	}
}

func TestTheConfigurationMayForceAKind(t *testing.T) {
	t.Parallel()
	c := config(t, testchannel.Serve(t), "name: python\ndependencies:\n  - python >=3.11\n  - idna\n")
	c.Kind = lock.Venv
	if kind, why, err := prepare(t, c).Kind(t.Context()); err != nil || kind != lock.Venv || !strings.Contains(why, "configuration") {
		t.Errorf("Kind() = %q, %q, %v, want venv because the configuration says so", kind, why, err)
	}
	c.Kind, c.Rules.ChannelURLs = lock.Conda, map[string]string{"conda-forge": nobody}
	m := makers.New(c)
	defer m.Close()
	if err := m.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be") {
		t.Errorf("Prepare() with conda forced and no channel = %v, want to be told", err)
	}
}

func TestWithoutToolsEverybodyIsToldWhy(t *testing.T) {
	t.Parallel()
	s, err := store.Open(filepath.Join(t.TempDir(), "envs"))
	if err != nil {
		t.Fatal(err)
	}
	m := makers.New(makers.Config{Dir: t.TempDir(), Store: s, Python: "/no/such/python", Log: slog.New(slog.DiscardHandler)})
	defer m.Close()
	if _, err := m.Driver(lock.Conda); !problem.Is(err, problem.Unavailable) || errors.As(err, new(*driver.Failure)) {
		t.Errorf("Driver() before Prepare = %v, want unavailable and no failure", err)
	}
	_, _, unknown := m.Kind(t.Context())
	if !problem.Is(unknown, problem.Unavailable) || errors.As(unknown, new(*driver.Failure)) {
		t.Errorf("Kind() before Prepare = %v, want unavailable and no failure", unknown)
	}
	if err := m.Prepare(t.Context()); err == nil {
		t.Fatal("Prepare() without Python succeeds")
	}
	_, _, unknown = m.Kind(t.Context())
	for what, err := range map[string]error{
		"Kind()":    unknown,
		"Driver()":  second(m.Driver(lock.Conda)),
		"Starter()": second(m.Starter(t.Context())),
		"Order()":   second(m.Order(lock.Conda)),
	} {
		f := (*driver.Failure)(nil)
		if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "/no/such/python") || !errors.As(err, &f) || f.Cause != driver.ToolFailed {
			t.Errorf("%s = %v, want unavailable with the failure", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// nobody is an address where nobody listens, and which nobody is given who asks for any.
const nobody = "http://127.0.0.1:1"
