//go:build e2e

package badday_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

func TestChannelWithFaults(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	g.ready("python", 1)
	for _, c := range []struct {
		name, pkg string
		faults    testchannel.Faults
		want      driver.Cause // of the failure; empty where the build must be ready all the same
	}{
		{"cut twice, then not", "symlink-inside", testchannel.Faults{CutAfter: 400, CutTimes: 2}, ""},
		{"busy, then not", "agpl", testchannel.Faults{Unavailable: 2}, ""},
		{"slow", "odd-names", testchannel.Faults{Slow: 2_000}, ""},
		{"cut for good", "link-script", testchannel.Faults{CutAfter: 200}, driver.ChannelUnreachable},
		{"wrong bytes", "constrainer", testchannel.Faults{WrongBytes: "constrainer*.conda"}, driver.HashMismatch},
		{"a package that has gone", "clobber-one", testchannel.Faults{NotFound: "clobber-one*.conda"}, driver.PackageMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, name := g.on(t), c.pkg
			ch.Set(c.faults)
			defer ch.Set(testchannel.Faults{})
			g.create(name, c.pkg)
			if c.want == "" {
				g.ready(name, 1)
				return
			}
			if failure := g.fails(name, 1, c.want); c.want != driver.ChannelUnreachable && !strings.Contains(failure.Message, c.pkg) {
				t.Errorf("the failure does not name the package: %+v", failure)
			}
			ch.Set(testchannel.Faults{})
			g.ready(name, g.again(name)) // the next try is not poisoned
		})
	}
	g.swept()
}

func TestChannelWhoseMetadataFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults testchannel.Faults
		want   driver.Cause
	}{
		"without shards":    {testchannel.Faults{NotFound: "repodata_shards*"}, ""},
		"busy, then not":    {testchannel.Faults{Unavailable: 2}, ""},
		"asks for password": {testchannel.Faults{User: "ada", Password: "lovelace"}, driver.AuthFailed},
		"is away":           {testchannel.Faults{NotFound: "*"}, driver.ChannelUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch, other := testchannel.Serve(t), testchannel.Serve(t)
			other.Set(c.faults)
			g := startOn(t, ch, map[string]any{
				"channel_urls":     map[string]string{"conda-forge": ch.Channel(), "other": other.Channel()},
				"allowed_channels": []string{"conda-forge", "other"},
			})
			g.ready("python", 1)
			body := map[string]any{"name": "try", "text": "channels: [other]\ndependencies: [symlink-inside]\n"}
			if status := g.ask("POST", environments, body, nil); status != http.StatusCreated {
				t.Fatalf("create: %d", status)
			}
			if c.want == "" {
				g.ready("try", 1)
				return
			}
			g.fails("try", 1, c.want)
			other.Set(testchannel.Faults{})
			if c.want != driver.AuthFailed { // nobody has the password
				g.ready("try", g.again("try"))
			}
		})
	}
}

func TestChannelThatHangs(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	g.ready("python", 1)
	ch.Hang("*.conda")
	g.create("canceled", "many-files")
	eventually(t, "it is fetching", func() bool { return g.build("canceled", 1).Phase == driver.Fetch })
	if status := g.ask("POST", environments+"/canceled/builds/1/cancel", nil, nil); status != http.StatusAccepted {
		t.Errorf("cancel: %d", status)
	}
	if b := g.ended("canceled", 1); b.State != envs.CanceledS {
		t.Errorf("the build is %s: %+v", b.State, b.Failure)
	}
	restart := func(settings map[string]any) { g.kill(); g.configure(ch, settings); g.serve() }
	restart(map[string]any{"timeout": "4s"})
	g.create("late", "symlink-inside")
	g.fails("late", 1, driver.TimedOut)
	g.swept()
	ch.Set(testchannel.Faults{})
	restart(nil) // a machine with much to do may need longer for what does not hang
	g.ready("late", g.again("late"))
}

func TestEvilPackagesTouchNothing(t *testing.T) {
	t.Parallel()
	g := startOn(t, testchannel.Serve(t), nil)
	g.ready("python", 1)
	for _, c := range []struct {
		name         string
		dependencies []string
		want         driver.Cause // of the failure; empty where the build must be ready all the same
	}{
		{"tar-traversal", []string{"tar-traversal"}, driver.PackageBroken},
		{"paths-traversal", []string{"paths-traversal"}, driver.PackageBroken},
		{"entry-traversal", []string{"python=3.11", "entry-traversal"}, driver.PackageBroken},
		{"symlink-outside", []string{"symlink-outside"}, driver.PackageBroken},
		{"wheel", []string{"python=3.11", "pip:\n    - entry-traversal-wheel"}, driver.PackageBroken},
		{"wrong-hash", []string{"wrong-hash"}, driver.HashMismatch},
		{"missing-artifact", []string{"missing-artifact"}, driver.PackageMissing},
		{"link-script-fails", []string{"link-script-fails"}, ""}, // it does not run
	} {
		t.Run(c.name, func(t *testing.T) {
			g := g.on(t)
			g.create(c.name, c.dependencies...)
			if c.want == "" {
				g.ready(c.name, 1)
			} else {
				g.fails(c.name, 1, c.want)
			}
		})
	}
	g.swept()
	for _, path := range g.strays("tar-traversal.txt", "paths-traversal.txt", "entry-traversal", "entry-traversal-wheel") {
		t.Errorf("an evil package has written %s", path)
	}
}

// strays are files of these names that are neither in an environment, nor what a cache or a log calls by the same name.
func (g *gateway) strays(names ...string) (found []string) {
	places := []string{g.store("b") + "/*/", g.store("pkgs") + "/", g.store("logs") + "/", filepath.Join(g.prepared(), "cache") + "/"}
	_ = filepath.WalkDir(g.data, func(path string, entry os.DirEntry, err error) error {
		expected := func(place string) bool {
			ok, _ := filepath.Match(strings.TrimSuffix(place, "/"), firstParts(path, strings.Count(place, "/")))
			return ok
		}
		if err == nil && slices.Contains(names, entry.Name()) && !slices.ContainsFunc(places, expected) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// firstParts is a path up to its n-th slash.
func firstParts(path string, n int) string {
	parts := strings.Split(path, "/")
	return strings.Join(parts[:min(n, len(parts))], "/")
}

func TestOneOfTwoFilesOfTheSameNameIsTakenAndSaid(t *testing.T) {
	t.Parallel()
	g := startOn(t, testchannel.Serve(t), nil)
	g.ready("python", 1)
	g.create("clobber", "clobber-one", "clobber-two")
	g.ready("clobber", 1)
	if log := string(g.read(environments + "/clobber/builds/1/events")); !strings.Contains(log, "share/clobber.txt is in two packages") {
		t.Errorf("nobody is told:\n%s", log)
	}
}

func TestTwentyThousandSmallFiles(t *testing.T) {
	t.Parallel()
	g := startOn(t, testchannel.Serve(t), nil)
	g.ready("python", 1)
	before := time.Now()
	g.create("many", "many-files")
	prefix := g.ready("many", 1)
	t.Logf("ready after %v", time.Since(before).Round(time.Millisecond))
	files := 0
	_ = filepath.WalkDir(prefix, func(_ string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files++
		}
		return nil
	})
	if files < 20_000 {
		t.Errorf("%d files are there", files)
	}
}
