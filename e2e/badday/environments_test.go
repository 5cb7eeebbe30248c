//go:build e2e

package badday_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/testchannel"
)

const environments = "/api/v1/projects/demo/environments"

// The first environment of these gateways has no Python: it is there at once, and no test looks at it.
const tiny = "dependencies:\n  - activates\n"

// startOn is start for a gateway that makes environments of its own, from the channel, under what settings say besides. It shares
// the tools with all others and, by hard links, the packages of the seed; its builds are its own.
func startOn(t *testing.T, ch *testchannel.Server, settings map[string]any) *gateway {
	t.Helper()
	g := newGateway(t)
	g.startOn(ch, settings)
	return g
}

func (g *gateway) startOn(ch *testchannel.Server, settings map[string]any) {
	g.t.Helper()
	g.own()
	g.configure(ch, settings)
	g.first()
}

func (g *gateway) configure(ch *testchannel.Server, settings map[string]any) {
	g.t.Helper()
	g.write("starter.yml", []byte(tiny))
	all := map[string]any{
		"channel_urls": map[string]string{"conda-forge": ch.Channel()}, "index": ch.Simple(), "starter": filepath.Join(g.data, "starter.yml"),
	}
	maps.Copy(all, settings)
	g.config(map[string]any{"prepared": g.prepared(), "environments": all})
}

// on is the gateway in a subtest.
func (g *gateway) on(t *testing.T) *gateway {
	c := *g
	c.t = t
	return &c
}

func (g *gateway) prepared() string { return filepath.Join(g.data, "prepared") }

func (g *gateway) store(names ...string) string {
	return filepath.Join(append([]string{g.prepared(), "envs"}, names...)...)
}

// own makes what a gateway prepares: see e2e/lib/own.mjs.
func (g *gateway) own() {
	g.t.Helper()
	shared := os.Getenv("HOPYARD_TEST_PREPARED")
	errs := []error{os.MkdirAll(g.store(), 0o700)}
	for _, name := range []string{"tools", "ui"} {
		errs = append(errs, os.Symlink(filepath.Join(shared, name), filepath.Join(g.prepared(), name)))
	}
	seed := os.Getenv("HOPYARD_TEST_SEED")
	for _, name := range []string{"pkgs", "pyc"} {
		if _, err := os.Stat(filepath.Join(seed, name)); seed != "" && err == nil {
			errs = append(errs, exec.Command("cp", "-al", filepath.Join(seed, name), g.store()).Run())
		}
	}
	if err := errors.Join(errs...); err != nil {
		g.t.Fatal(err)
	}
}

// create makes an environment and asks for its first build.
func (g *gateway) create(name string, dependencies ...string) {
	g.t.Helper()
	g.createText(name, text(dependencies...))
}

func (g *gateway) createText(name, text string) {
	g.t.Helper()
	var answer json.RawMessage
	body := map[string]any{"name": name, "text": text}
	if status := g.ask("POST", environments, body, &answer); status != http.StatusCreated {
		g.t.Fatalf("create %s: %d %s", name, status, answer)
	}
}

func text(dependencies ...string) string {
	return "dependencies:\n  - " + strings.Join(dependencies, "\n  - ") + "\n"
}

// again asks for another build of the newest spec and returns its number.
func (g *gateway) again(name string) int {
	g.t.Helper()
	var b envs.Build
	if status := g.ask("POST", environments+"/"+name+"/builds", map[string]any{}, &b); status != http.StatusAccepted {
		g.t.Fatalf("build %s again: %d", name, status)
	}
	return b.Number
}

func (g *gateway) build(name string, n int) (b envs.Build) {
	g.t.Helper()
	if status := g.ask("GET", environments+"/"+name+"/builds/"+strconv.Itoa(n), nil, &b); status != http.StatusOK {
		g.t.Fatalf("build %d of %s: %d", n, name, status)
	}
	return b
}

// ended waits for the end of a build.
func (g *gateway) ended(name string, n int) (b envs.Build) {
	g.t.Helper()
	within(g.t, 4*patience, "build "+strconv.Itoa(n)+" of "+name+" has ended", func() bool {
		b = g.build(name, n)
		return b.State.Ended()
	})
	return b
}

// ready waits for the end of a build, which must be a good one, and gives its prefix.
func (g *gateway) ready(name string, n int) (prefix string) {
	g.t.Helper()
	b := g.ended(name, n)
	if b.State != envs.Ready {
		g.t.Fatalf("build %d of %s is %s: %+v", n, name, b.State, b.Failure)
	}
	if _, err := os.Stat(g.store("m", b.ID+".json")); err != nil {
		g.t.Errorf("build %d of %s is ready and has no manifest: %v", n, name, err)
	}
	return g.store("b", b.ID)
}

// fails waits for the end of a build, which must fail with one of the causes.
func (g *gateway) fails(name string, n int, causes ...driver.Cause) *driver.Failure {
	g.t.Helper()
	b := g.ended(name, n)
	if b.State != envs.Failed || b.Failure == nil || !slices.Contains(causes, b.Failure.Cause) {
		g.t.Fatalf("build %d of %s is %s: %+v; want it to fail with %v", n, name, b.State, b.Failure, causes)
	}
	if b.ID != "" {
		if _, err := os.Stat(g.store("m", b.ID+".json")); err == nil {
			g.t.Errorf("build %d of %s has failed, and its prefix %s has a manifest", n, name, b.ID)
		}
	}
	return b.Failure
}

// swept waits until no half environment is left: each folder has a manifest, and nothing is being worked on.
func (g *gateway) swept() {
	g.t.Helper()
	eventually(g.t, "half environments are swept", func() bool { return len(g.halves()) == 0 })
}

// halves are the environments on disk without a manifest.
func (g *gateway) halves() []string {
	var half []string
	all, _ := filepath.Glob(g.store("b", "*"))
	for _, prefix := range all {
		if _, err := os.Stat(g.store("m", filepath.Base(prefix)+".json")); err != nil {
			half = append(half, prefix)
		}
	}
	return half
}

// read gives an answer as it is, to its end.
func (g *gateway) read(path string) []byte {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+path, http.NoBody)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+g.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return body
}

// TestKilledGatewayGoesOnWithABuildAtOnce follows a build as its page does, over and over from where it was when the gateway was
// killed. Nobody waits for what the dead had claimed, which would take seconds: how long it takes is told.
func TestKilledGatewayGoesOnWithABuildAtOnce(t *testing.T) {
	t.Parallel()
	ch := testchannel.Serve(t)
	g := startOn(t, ch, nil)
	ch.Hold("pandas-*") // its bytes drip for as long as we look
	g.createText("science", fmt.Sprintf(lengthy, "symlink-inside"))
	g.reach("science", driver.Fetch)
	last := g.event("science", 0, time.Time{})
	for range 3 {
		g.kill()
		g.serve()
		ready := time.Now()
		next := g.event("science", last.Seq, ready)
		if next.Seq <= last.Seq {
			t.Fatalf("event %d comes behind event %d", next.Seq, last.Seq)
		}
		t.Logf("what happened %s after the gateway was ready was told %s later", next.Time.Sub(ready), time.Since(next.Time))
		last = next
	}
	if status := g.ask("POST", environments+"/science/builds/1/cancel", nil, nil); status != http.StatusAccepted {
		t.Errorf("cancel: %d", status)
	}
	if b := g.ended("science", 1); b.State != envs.CanceledS {
		t.Errorf("the build is %s, want it canceled", b.State)
	}
	g.swept()
}

// event waits for the first event of a build, behind one that was seen, that is of after a moment.
func (g *gateway) event(name string, seen uint64, after time.Time) (e driver.Event) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+environments+"/"+name+"/builds/1/events", http.NoBody)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+g.token)
	req.Header.Set("Last-Event-ID", strconv.FormatUint(seen, 10))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for e.Seq == 0 || !e.Time.After(after) {
		line, err := lines.ReadString('\n')
		if err != nil {
			g.t.Fatalf("no event behind %d: %v", seen, err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			e = driver.Event{}
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				g.t.Fatalf("event %q: %v", data, err)
			}
		}
	}
	return e
}
