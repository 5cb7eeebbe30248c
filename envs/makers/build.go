package makers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/venv"
)

// build makes the files of the first environment ahead, with a builder of our own: there is no project yet to build for. The
// first environment of a project finds them there.
func (m *Makers) build(ctx context.Context) error {
	first, err := m.first()
	if err != nil {
		return err
	}
	id := store.ID(first.lock, first.options)
	if _, ok := m.cfg.Store.Find(id); ok {
		return nil
	}
	m.tell("building the first environment")
	order, err := m.Order(first.lock.Kind)
	if err != nil {
		return err
	}
	order.Lock, order.Requested, order.Options = first.lock, first.requested, first.options
	if err := m.cfg.Store.Order(ctx, id, order); err != nil {
		return err
	}
	return m.run(ctx, id)
}

// content is what is in the first environment.
type content struct {
	lock      *lock.Lock
	options   store.Options
	requested []string
}

func (m *Makers) first() (content, error) {
	m.mu.Lock()
	c := m.choice
	m.mu.Unlock()
	if c == nil {
		return content{}, errors.New("the first environment has not been chosen")
	}
	s, err := spec.Parse([]byte(c.Text))
	if err != nil {
		return content{}, err
	}
	return content{c.Lock, store.Options{Domain: m.cfg.Rules.Domain(c.Lock), Variables: s.Variables}, s.Names()}, nil
}

// Order gives what a builder has to be told besides the content; a problem.Unavailable while the tools are not there.
func (m *Makers) Order(kind lock.Kind) (store.Order, error) {
	t, ok := m.Tools()
	if !ok {
		_, err := m.Driver(kind)
		return store.Order{}, err
	}
	order := store.Order{
		Tools: store.Tools(t), Hosts: m.hosts(), Alias: m.cfg.Rules.ChannelAlias, ChannelURLs: m.cfg.Rules.ChannelURLs,
		Index: m.cfg.Rules.Index, AuthFile: m.cfg.AuthFile, Offline: m.cfg.Offline, Limits: store.Limits{MemoryBytes: m.cfg.MemoryBytes},
	}
	if kind != lock.Venv {
		return order, nil
	}
	d, err := m.Driver(kind)
	if err != nil {
		return order, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), findLimit)
	defer cancel()
	order.Bases, err = d.(*venv.Driver).Interpreters(ctx)
	return order, err
}

// findLimit is how long the host's interpreters may take to say what they are.
const findLimit = 30 * time.Second

// run runs the builder, tells what it does, and returns its result.
func (m *Makers) run(ctx context.Context, id string) error {
	argv := append(append([]string{}, m.cfg.Builder...), "--store", m.cfg.Store.Dir(), "--id", id)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = m.cfg.BuilderEnv
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it clears up what it has made
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	follow, stop := context.WithCancel(ctx)
	followed := make(chan *driver.Failure, 1)
	go func() { followed <- m.follow(follow, m.cfg.Store.Events(id)) }()
	out, err := cmd.CombinedOutput()
	stop()
	failure := <-followed
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failure != nil:
		return failure
	case err != nil:
		return fmt.Errorf("builder: %w: %s", err, out)
	}
	if _, ok := m.cfg.Store.Find(id); !ok {
		return errors.New("the builder ended well and left no environment")
	}
	return nil
}

// lookEvery is how often people are told how far a build is.
const lookEvery = time.Second

// follow tells the last thing that happened, now and then, until the context ends. It returns the failure that the build ended with.
func (m *Makers) follow(ctx context.Context, path string) *driver.Failure {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := ""
	for {
		last, _ := lastOf(path)
		if line := last.line(); line != "" && line != said {
			said = line
			m.tell("%s", line)
		}
		select {
		case <-ctx.Done():
			_, failure := lastOf(path)
			return failure
		case <-tick.C:
		}
	}
}

type progress driver.Event

// lastOf reads the last progress and, if there is one, the failure out of a file of events.
func lastOf(path string) (last progress, failure *driver.Failure) {
	f, err := os.Open(path)
	if err != nil {
		return last, nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e driver.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if e.Type == driver.TypeProgress {
			last = progress(e)
		}
		failure = e.Failure
	}
	return last, failure
}

var doing = map[driver.Phase]string{
	driver.Fetch: "downloading packages", driver.Link: "linking packages", driver.Pip: "installing wheels", driver.Finish: "compiling modules",
}

func (e progress) line() string {
	what := doing[e.Phase]
	switch {
	case what == "" || e.Total == 0:
		return what
	case e.TotalBytes > 0:
		const mega = 1_000_000
		return fmt.Sprintf("%s: %d of %d, %d of %d MB", what, e.Done, e.Total, (e.Bytes+mega/2)/mega, (e.TotalBytes+mega/2)/mega)
	default:
		return fmt.Sprintf("%s: %d of %d", what, e.Done, e.Total)
	}
}

// First is the manifest of the first environment, once it has been built.
func (m *Makers) First() (*store.Manifest, bool) {
	first, err := m.first()
	if err != nil {
		return nil, false
	}
	return m.cfg.Store.Find(store.ID(first.lock, first.options))
}
