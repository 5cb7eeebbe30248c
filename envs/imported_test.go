package envs_test

import (
	"testing"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/internal/problem"
)

// sent is a lock of one wheel, as somebody sends it who says what he likes.
func sent(url string) *lock.Lock {
	return &lock.Lock{
		Version: lock.FormatVersion, Kind: lock.Venv, Platform: "linux-64", Python: "3.11", Base: &lock.Base{Path: "/tmp/python3", Version: "3.11.7"},
		Indexes: []string{url}, Wheels: []lock.Wheel{{
			Name: "alpha", Version: "1.0", Filename: "alpha-1.0-py3-none-any.whl", URL: url + "/alpha-1.0-py3-none-any.whl",
			SHA256: "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", License: "MIT", Uploaded: "2001-01-01T00:00:00Z", Size: 1,
		}},
	}
}

func TestSenderOfALockDecidesNothingThatRulesGoBy(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]policy.Rules{
		"licence": {DenyUnknownLicenses: true},
		"age":     {MinimumAge: policy.Duration{Duration: 1}, DenyUnknownAge: true},
		"size":    {MaxArtifactBytes: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.rules = rules
			_, err := s.open().Create(t.Context(), bob, "demo", envs.NewEnvironment{Name: "imported", Lock: sent("https://example.org"), Build: true})
			wantCode(t, err, problem.Conflict)
			if f := driver.FailureOf(err); f.Cause != driver.PolicyDenied {
				t.Errorf("failure = %+v, want that the rules refuse it", f)
			}
		})
	}
}

func TestSenderOfALockLeadsNobodyIntoTheNetworkAround(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	for _, url := range []string{"http://127.0.0.1:8080", "file:///etc", "https://169.254.169.254/latest", "https://10.0.0.1"} {
		_, err := g.Create(t.Context(), bob, "demo", envs.NewEnvironment{Name: "imported", Lock: sent(url), Build: true})
		wantCode(t, err, problem.Conflict, "alpha")
		if f := driver.FailureOf(err); f.Cause != driver.PolicyDenied || f.Rule != "urls" {
			t.Errorf("%s: %+v, want that its address is refused", url, f)
		}
	}
}

func TestImportedLockThatIsKnownHereIsReused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	first := g.create(t, "demo", "science", "alpha", "beta")
	l, err := g.Lock(t.Context(), "demo", "science", 1)
	must(t, err)
	text, err := l.Encode()
	must(t, err)
	in, err := lock.Import(text)
	must(t, err)
	env, err := g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "copy", Lock: in, Build: true})
	if err != nil || env.Active == nil || env.Active.ID != first.ID {
		t.Errorf("Create() = %+v, %v, want it active at once", env, err)
	}
	in.Wheels[0].SHA256 = in.Wheels[1].SHA256
	env, err = g.Create(t.Context(), bob, "other", envs.NewEnvironment{Name: "forged", Lock: in, Build: true})
	if err != nil || env.Active != nil && env.Active.ID == first.ID {
		t.Errorf("Create() with another hash = %+v, %v, want another lock", env, err)
	}
}

func TestImportedLockStandsOnThisHostsPython(t *testing.T) {
	t.Parallel()
	g := newSite(t).open()
	_, err := g.Create(t.Context(), bob, "demo", envs.NewEnvironment{Name: "imported", Lock: sent("https://example.org"), Build: true})
	must(t, err)
	g.is(t, "demo", "imported", 1, envs.Ready)
	l, err := g.Lock(t.Context(), "demo", "imported", 1)
	must(t, err)
	if l.Base == nil || l.Base.Path != "/usr/bin/python3" {
		t.Errorf("base = %+v, want the driver's", l.Base)
	}
}
