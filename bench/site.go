package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/testchannel"
)

// site is a gateway with a store of environments of its own, a real channel on loopback, and the peer beside it. The cases about
// environments share one, because its first environment takes a while: every module of it is compiled.
type site struct {
	*server
	b        *benchmark
	dir      string
	prepared string
	channel  string // address
	index    string // of wheels
	many     string // folder of the channel of many packages; empty until it is asked for
	science  string // folder of the channel for data science; it is there if the starter needs it
	starter  []string
	folders  testchannel.Folders
	tools    tools.Tools
	peer     *rattler
	web      *http.Server
	edited   bool // the store holds more than the first environment
}

// starter is what the projects of the site begin with.
var starter = []string{"python=3.11", "ipykernel", "numpy", "pip"}

// siteFor gives the site of this run.
func (b *benchmark) siteFor(ctx context.Context) (*site, error) {
	if b.site != nil {
		return b.site, nil
	}
	s := &site{b: b, starter: starter}
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, err
	}
	b.site = s
	return s, nil
}

func (s *site) start(ctx context.Context) (err error) {
	progress("  making the channel, a gateway and its first environment")
	if s.folders, err = testchannel.Build(ctx); err != nil {
		return err
	}
	if err := s.serveChannel(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(s.b.dir, "e"); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if s.peer, err = s.b.startRattler(filepath.Join(s.dir, "peer"), s.tools.Python); err != nil {
		return err
	}
	begin := time.Now()
	if s.server, err = s.b.startGateway(ctx, s.dir, s.config()); err != nil {
		return err
	}
	if err := s.proc.until(ctx, 5*time.Minute, func(ctx context.Context) error { return s.usable(ctx, "demo", "python") }); err != nil {
		return err
	}
	progress("  the first environment took %.1f s, with downloads and all modules compiled", time.Since(begin).Seconds())
	return nil
}

// serveChannel serves the test channel in this process: what is measured does not read it, or reads it no more than the peer does.
func (s *site) serveChannel() error {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // does not wait
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	s.channel, s.index = url+"/channel", url+"/simple/"
	s.web = &http.Server{Handler: testchannel.NewHandler(s.folders)} //nolint:gosec // for ourselves
	go func() { _ = s.web.Serve(l) }()
	return nil
}

// prepare makes a folder with an empty store beside the tools and pages that are there.
func (s *site) prepare() error {
	var found bool
	if s.tools, found = tools.Find(filepath.Join(s.b.prepared, "tools")); !found {
		return fmt.Errorf("there are no tools in %s: run hopyard prepare", s.b.prepared)
	}
	channels := []string{"conda-forge"}
	if s.science != "" {
		channels = []string{"science", "conda-forge"}
	}
	s.science = cmp.Or(s.science, filepath.Join(s.dir, "science"))
	s.prepared, s.many = filepath.Join(s.dir, "prepared"), filepath.Join(s.dir, "many")
	return errors.Join(
		os.MkdirAll(filepath.Join(s.prepared, "envs"), 0o700),
		os.Symlink(filepath.Join(s.b.prepared, "tools"), filepath.Join(s.prepared, "tools")),
		os.Symlink(filepath.Join(s.b.prepared, "ui"), filepath.Join(s.prepared, "ui")),
		os.WriteFile(filepath.Join(s.dir, "starter.yml"), []byte(specText(s.starter, channels...)), 0o644),
	)
}

func (s *site) config() string {
	return fmt.Sprintf(`prepared: %q
log_level: warn
environments:
  channels: [conda-forge]
  channel_urls: {conda-forge: %q, many: %q, science: %q}
  index: %q
  starter: %q
`, s.prepared, s.channel, "file://"+s.many, "file://"+s.science, s.index, filepath.Join(s.dir, "starter.yml"))
}

// specText is an environment.yml.
func specText(packages []string, channels ...string) string {
	return "channels: [" + strings.Join(channels, ", ") + "]\ndependencies:\n  - " + strings.Join(packages, "\n  - ") + "\n"
}

func (s *site) close() {
	if s.server != nil {
		s.b.stopAll([]*server{s.server})
	}
	if s.peer != nil {
		s.peer.close()
	}
	if s.web != nil {
		_ = s.web.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// store is the folder of environments.
func (s *site) store() string { return filepath.Join(s.prepared, "envs") }

// call asks the console's API.
func (s *site) call(ctx context.Context, method, path string, body, out any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	root := *s.server
	root.base = strings.TrimSuffix(s.base, jupyterOfDemo)
	_, err := root.do(ctx, method, "/api/v1"+path, text, out)
	return err
}

// jupyter is the Jupyter server of a project.
func (s *site) jupyter(project string) *server {
	other := *s.server
	other.base = strings.TrimSuffix(s.base, jupyterOfDemo) + "/p/" + project + "/jupyter"
	return &other
}

func environmentPath(project, name string) string {
	return "/projects/" + project + "/environments/" + name
}

// environment is what is read of the API's answers.
type environment struct {
	Active, Latest *built
}

type built struct {
	Build int
	ID    string
	State string
}

// activation is what a program needs to run on a build.
type activation struct {
	Build       int
	ID          string
	Prefix, Bin string
	Python      string
	Variables   map[string]string
}

// usable says whether programs can start on an environment.
func (s *site) usable(ctx context.Context, project, name string) error {
	var a activation
	return s.call(ctx, http.MethodGet, environmentPath(project, name)+"/activation", nil, &a)
}

func (s *site) activation(ctx context.Context, project, name string) (a activation, err error) {
	return a, s.call(ctx, http.MethodGet, environmentPath(project, name)+"/activation", nil, &a)
}

// project makes one and waits for its first environment, which is shared with all others of the site.
func (s *site) project(ctx context.Context, name string) error {
	s.edited = true
	if err := s.call(ctx, http.MethodPost, "/projects", map[string]any{"name": name}, nil); err != nil {
		return err
	}
	return s.proc.until(ctx, time.Minute, func(ctx context.Context) error { return s.usable(ctx, name, "python") })
}

// export is a build in use, in some form.
func (s *site) export(ctx context.Context, project, name, format string) (string, error) {
	a, err := s.activation(ctx, project, name)
	if err != nil {
		return "", err
	}
	root := strings.TrimSuffix(s.base, jupyterOfDemo)
	return s.text(ctx, fmt.Sprintf("%s/api/v1%s/builds/%d/export?format=%s", root, environmentPath(project, name), a.Build, format))
}

// exact are the packages of an explicit list as what asks for exactly them: "numpy=2.4.6=py311_0".
func exact(explicit string) (specs []string) {
	for line := range strings.Lines(explicit) {
		address, _, found := strings.Cut(strings.TrimSpace(line), "#")
		if !found || !strings.Contains(address, "://") {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(filepath.Base(address), ".conda"), "-")
		if n := len(parts); n >= 3 {
			specs = append(specs, strings.Join(parts[:n-2], "-")+"=="+parts[n-2]+"="+parts[n-1])
		}
	}
	return specs
}

// edit asks for a change and waits until its build has ended. It gives what the build told, and how long the answer and the
// end took.
func (s *site) edit(ctx context.Context, project, name string, change any) (answered, ready time.Duration, events []driver.Event, err error) {
	s.edited = true
	begin := time.Now()
	var asked built
	if err := s.call(ctx, http.MethodPost, environmentPath(project, name)+"/packages", change, &asked); err != nil {
		return 0, 0, nil, err
	}
	answered = time.Since(begin)
	events, err = s.follow(ctx, project, name, asked.Build)
	return answered, time.Since(begin), events, err
}

// follow reads what a build tells until its end, as the console's page does.
func (s *site) follow(ctx context.Context, project, name string, build int) ([]driver.Event, error) {
	path := fmt.Sprintf("%s/api/v1%s/builds/%d/events", strings.TrimSuffix(s.base, jupyterOfDemo), environmentPath(project, name), build)
	resp, err := s.get(ctx, path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var events []driver.Event
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		var e driver.Event
		if !found || json.Unmarshal([]byte(data), &e) != nil {
			continue
		}
		events = append(events, e)
		if e.Type != driver.TypeResult {
			continue
		}
		if e.State != "ready" {
			return events, fmt.Errorf("build %d of %s/%s is %s: %s", build, project, name, e.State, e.Text)
		}
		return events, nil
	}
	return events, errors.Join(errors.New("the events broke off"), lines.Err())
}

// create makes an environment and waits until its first build has ended.
func (s *site) create(ctx context.Context, project string, body map[string]any) error {
	s.edited = true
	var e environment
	if err := s.call(ctx, http.MethodPost, "/projects/"+project+"/environments", body, &e); err != nil {
		return err
	}
	_, err := s.follow(ctx, project, body["name"].(string), 1)
	return err
}
