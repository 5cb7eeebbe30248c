package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
)

// dice makes rules, specs and locks of few words, so that they often have to do with each other.
type dice struct{ *rand.Rand }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// some gives a few of the words: often none at all (nil), sometimes an empty list.
func (d dice) some(of ...string) []string {
	if d.IntN(3) == 0 {
		return nil
	}
	all := []string{}
	for range d.IntN(4) {
		all = append(all, pick(d, of...))
	}
	return all
}

var (
	channelWords = []string{
		"a", "b", "a/label/rc", "c", "defaults", "*", "https://h.example/a", "https://h.example", "https://h.example/b/x", "file:///srv/a", "http://h.example/a",
	}
	indexWords = []string{"https://i.example/simple", "https://i.example", "https://j.example/simple", "http://i.example/simple", "file:///srv", "*"}
	hostWords  = []string{"i.example", "j.example", "f.example", "f.example:8443"}
	names      = []string{"numpy", "evil", "evil-two", "six"}
	licenses   = []string{"", "MIT", "GPL-3.0-only", "MIT OR GPL-3.0", "AGPL-3.0-only AND MIT"}
)

func (d dice) rules() policy.Rules {
	r := policy.Rules{
		DefaultChannels: d.some(channelWords[:5]...), AllowedChannels: d.some(channelWords...), DeniedChannels: d.some("b", "a/label/rc", "https://h.example/b"),
		AllowedIndexes: d.some(indexWords...), WheelHosts: d.some(hostWords...),
		DenyPackages: d.some("evil*", "six"), DenyLicenses: d.some("GPL*", "AGPL*"), DenyUnknownLicenses: d.IntN(4) == 0,
		MinimumAge: policy.Duration{Duration: pick(d, 0, 24*time.Hour, 48*time.Hour)}, DenyUnknownAge: d.IntN(4) == 0,
		MaxPackages: d.IntN(4), MaxArtifactBytes: policy.Size(d.IntN(3)), MaxEnvironments: d.IntN(3),
		ChannelAlias: pick(d, "", "https://h.example", "https://k.example"), Index: pick(d, "", indexWords[0], indexWords[2]),
	}
	if d.IntN(2) == 0 {
		r.ChannelURLs = map[string]string{pick(d, "a", "b", "c"): pick(d, "https://h.example/a", "https://k.example/z", "file:///srv/a")}
	}
	if d.IntN(3) == 0 {
		r.PrivateChannels = map[string][]string{"a": {"alpha"}}
	}
	return r
}

func (d dice) lock() *lock.Lock {
	l := &lock.Lock{Channels: d.some("https://h.example/a", "https://k.example/a", "https://h.example/a/label/rc", "https://h.example/b")}
	for range d.IntN(3) {
		base := pick(d, "https://h.example/a", "https://k.example/a", "https://h.example/a/label/rc", "https://h.example/b", "https://h.example/b/x",
			"https://k.example/z", "file:///srv/a", "http://h.example/a")
		l.Packages = append(l.Packages, lock.Package{
			Name: pick(d, names...), URL: base + "/noarch/x.conda", SHA256: hash, License: pick(d, licenses...), Size: int64(d.IntN(2)),
			Timestamp: pick(d, 0, now.Add(-36*time.Hour).UnixMilli(), now.Add(-72*time.Hour).UnixMilli()),
		})
	}
	for range d.IntN(3) {
		base := pick(d, "https://i.example/p", "https://j.example", "https://f.example", "https://f.example:8443", "http://i.example", "file:///srv/w", "file:///x")
		l.Wheels = append(l.Wheels, lock.Wheel{
			Name: pick(d, names...), URL: base + "/x.whl", SHA256: hash, License: pick(d, licenses...),
			Uploaded: pick(d, "", now.Add(-36*time.Hour).Format(time.RFC3339), now.Add(-72*time.Hour).Format(time.RFC3339)),
		})
	}
	return l
}

func (d dice) spec(t *testing.T) *spec.Spec {
	channels, err := json.Marshal(append(d.some("a", "b", "a/label/rc", "c", "defaults", "https://h.example/a", "https://h.example/b/x"), pick(d, "a", "c")))
	if err != nil {
		t.Fatal(err)
	}
	s, err := spec.Parse(fmt.Appendf(nil, "channels: %s\ndependencies: [%s, {pip: [%s]}]\n", channels, pick(d, names...), pick(d, names...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAProjectCanOnlyTighten(t *testing.T) {
	t.Parallel()
	allowed := 0
	for seed := range uint64(5_000) {
		d := dice{rand.New(rand.NewPCG(seed, 0))}
		site, project, l, s := d.rules(), d.rules(), d.lock(), d.spec(t)
		merged := policy.Merge(site, project)
		if len(merged.CheckLock(l, now)) == 0 {
			allowed++
			if all := site.CheckLock(l, now); len(all) > 0 {
				t.Fatalf("seed %d: the project allows what the site refuses:\nsite    %+v\nproject %+v\nmerged  %+v\nlock    %+v\nrefused %+v", seed, site, project, merged, l, all)
			}
		}
		if len(merged.CheckSpec(s)) == 0 && len(site.CheckSpec(s)) > 0 {
			t.Fatalf("seed %d: the project allows a spec that the site refuses:\nsite    %+v\nproject %+v\nmerged  %+v\nspec    %s\nrefused %+v", seed, site, project, merged, s.Text, site.CheckSpec(s))
		}
		if site.MaxEnvironments > 0 && (merged.MaxEnvironments == 0 || merged.MaxEnvironments > site.MaxEnvironments) {
			t.Fatalf("seed %d: %d environments of %d", seed, merged.MaxEnvironments, site.MaxEnvironments)
		}
		// A project that says nothing changes nothing, and merging twice is merging once.
		alone := policy.Merge(site, policy.Rules{})
		if a, b := said(alone.CheckLock(l, now)), said(site.CheckLock(l, now)); a != b {
			t.Fatalf("seed %d: a project without rules is refused by %q, the site refuses by %q\nsite %+v\nlock %+v", seed, a, b, site, l)
		}
		if a, b := said(policy.Merge(merged, project).CheckLock(l, now)), said(merged.CheckLock(l, now)); a != b {
			t.Fatalf("seed %d: merged twice %q, once %q\nsite    %+v\nproject %+v\nlock %+v", seed, a, b, site, project, l)
		}
	}
	if allowed < 50 {
		t.Errorf("only %d of the locks were allowed: the test says little", allowed)
	}
}

func TestAProjectChoosesAmongWhatIsAllowed(t *testing.T) {
	t.Parallel()
	site := rules(t, `
channels: [conda-forge]
channel_urls: {ours: https://example.org/ours}
index: https://example.org/simple
allowed_indexes: [https://example.org/simple, https://other.example/simple]
minimum_age: 3d
`)
	merged := policy.Merge(site, rules(t, `
channels: [ours, elsewhere]
channel_urls: {conda-forge: https://evil.example/conda-forge}
index: https://other.example/simple
minimum_age: 1d
`))
	s, err := spec.Parse([]byte("dependencies: [x]"))
	if err != nil {
		t.Fatal(err)
	}
	if got := merged.Channels(s); len(got) != 1 || got[0] != "https://example.org/ours" {
		t.Errorf("Channels = %q, want ours", got)
	}
	if merged.Index != "https://other.example/simple" || merged.MinimumAge != site.MinimumAge || len(merged.ChannelURLs) != 1 {
		t.Errorf("merged = %+v", merged)
	}
	if got := policy.Merge(site, rules(t, "index: https://evil.example/simple")).Index; got != site.Index {
		t.Errorf("an index that is not allowed became %q", got)
	}
	if got := policy.Merge(site, rules(t, "allowed_channels: [ours]")).Channels(s); len(got) != 1 || got[0] != "https://example.org/ours" {
		t.Errorf("Channels = %q, want the only one left", got)
	}
}

func FuzzSPDX(f *testing.F) {
	for _, license := range licenses {
		f.Add(license, "GPL*")
	}
	f.Add("(MIT OR (GPL-2.0+ WITH Classpath-exception-2.0)) AND x", "*")
	f.Fuzz(func(t *testing.T, license, pattern string) {
		l := &lock.Lock{Wheels: []lock.Wheel{{Name: "x", SHA256: hash, License: license}}}
		refused := said(policy.Rules{DenyLicenses: []string{pattern}}.CheckLock(l, now)) != ""
		wider := said(policy.Rules{DenyLicenses: []string{pattern, "*"}}.CheckLock(l, now)) != ""
		if refused && !wider {
			t.Fatalf("%q is refused by %q alone, but not with *", license, pattern)
		}
	})
}

func FuzzAddress(f *testing.F) {
	for _, url := range []string{
		"https://example.org/conda-forge/noarch/x.conda", "https://example.org/conda-forge/%2e%2e/x", "https://a@example.org/conda-forge/x",
		"https://example.org:443/conda-forge/a/b", "https://example.org\\@evil/conda-forge/x",
	} {
		f.Add(url)
	}
	site := policy.Rules{AllowedChannels: []string{"https://example.org/conda-forge"}}
	f.Fuzz(func(t *testing.T, url string) {
		if len(site.CheckLock(conda(url), now)) > 0 {
			return
		}
		if got := whereClientsGo(t, url); got != "https://example.org/conda-forge/" {
			t.Fatalf("%q is taken for a part of the channel, but leads to %q", url, got)
		}
	})
}
