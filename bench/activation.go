package main

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

// starting is a way to start a kernel.
type starting struct {
	name   string
	before func() error // not timed
	start  func() (time.Duration, error)
	goal   float64 // how many times faster we are to be; 0 for none
	took   samples // seconds
}

// kernelStart measures how soon a new kernel has answered its first request: from a built environment, whose modules are compiled and
// whose activation was captured, and as one is started in an environment that py-rattler has made: by conda run, where this machine has
// conda, and by rattler.py's run, which does the least of it: a Python program works out the activation, a shell takes it and starts the kernel.
func (b *benchmark) kernelStart(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	a, err := s.activation(ctx, "demo", "python")
	if err != nil {
		return err
	}
	ours := []*starting{
		{name: "captured activation", start: func() (time.Duration, error) {
			return b.firstReply(ctx, captured(a), append([]string{a.Python}, kernelArgs...))
		}},
		{name: "through the gateway", start: func() (time.Duration, error) { return s.firstReply(ctx) }},
	}
	all := ours
	if !b.alone {
		if _, err := s.teach(ctx, "demo", "python"); err != nil {
			return err
		}
		prefix, _, err := s.peer.install()
		if err != nil {
			return err
		}
		defer os.RemoveAll(prefix)
		peers, err := b.peerStarts(ctx, s, prefix)
		if err != nil {
			return err
		}
		all = append(all, peers...)
	}
	for range 5 {
		for _, way := range all {
			if err := way.once(); err != nil {
				return err
			}
		}
	}
	b.startRows(ours, all[len(ours):])
	return nil
}

var kernelArgs = []string{"-m", "ipykernel_launcher", "-f", "{connection_file}"}

// captured is the environment of programs on a build.
func captured(a activation) []string {
	env := []string{"PATH=" + a.Bin + ":" + os.Getenv("PATH")}
	for _, name := range slices.Sorted(maps.Keys(a.Variables)) {
		env = append(env, name+"="+a.Variables[name])
	}
	return env
}

func (w *starting) once() error {
	if w.before != nil {
		if err := w.before(); err != nil {
			return err
		}
	}
	took, err := w.start()
	w.took = append(w.took, took.Seconds())
	return err
}

// peerStarts are the ways without us, in the order in which they follow each other on one prefix.
func (b *benchmark) peerStarts(ctx context.Context, s *site, prefix string) ([]*starting, error) {
	activators, err := b.activators(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []*starting
	goal := 3.0
	for _, a := range activators {
		all = append(all, b.starts(ctx, a, prefix, goal)...)
		goal = 0
	}
	bare := append([]string{filepath.Join(prefix, "bin/python")}, kernelArgs...)
	return append(all, &starting{name: "no activation at all, later starts", start: func() (time.Duration, error) {
		return b.firstReply(ctx, nil, bare)
	}}), nil
}

// uncompile removes what Python has compiled, so that a prefix is as py-rattler has left it.
func uncompile(prefix string) error {
	return filepath.WalkDir(prefix, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || entry.Name() != "__pycache__" {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return fs.SkipDir
	})
}

func (b *benchmark) startRows(ours, peers []*starting) {
	for _, way := range ours {
		b.figure("kernel start to the first reply, "+way.name+", p50", way.took.at(0.5), "s")
	}
	for i, what := range []string{"kernel start to the first reply, p50", "kernel start through the gateway, p50"} {
		own := ours[i].took.at(0.5)
		for _, peer := range peers {
			theirs, goal := peer.took.at(0.5), peer.goal
			if i > 0 {
				goal = 0
			}
			b.beside(what, own, theirs, "s", peer.name, theirs/own, goal)
		}
	}
}

// firstReply starts a kernel with nothing between, and tells how long it took until it had answered a cell.
func (b *benchmark) firstReply(ctx context.Context, env, argv []string) (time.Duration, error) {
	begin := time.Now()
	// What IPython writes at its very first start is written once, as for a person who uses it every day.
	d, conn, err := b.startKernel(append([]string{"IPYTHONDIR=" + filepath.Join(b.dir, "ipython")}, env...), argv, "ipc")
	if err != nil {
		return 0, err
	}
	defer d.stop()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if d.shell, err = conn.dial(ctx, wire.Shell, d.session); err != nil {
		return 0, err
	}
	id, m := executeRequest(d.session, "1")
	if err := d.shell.Send(d.signer.AppendFrames(nil, m)); err != nil {
		return 0, err
	}
	for {
		frames, err := d.shell.Recv()
		if err != nil {
			return 0, err
		}
		if m, err := d.signer.FromFrames(frames, wire.Shell); err == nil && strings.Contains(string(m.Parent), id) {
			return time.Since(begin), nil
		}
	}
}

// firstReply is the same for who uses the gateway.
func (s *site) firstReply(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	kernel, err := s.startKernel(ctx, "python3")
	if err != nil {
		return 0, err
	}
	defer s.stopKernel(kernel) //nolint:errcheck // the gateway ends next
	c, err := s.open(ctx, kernel)
	if err != nil {
		return 0, err
	}
	defer c.close()
	id, err := c.execute("1")
	if err != nil {
		return 0, err
	}
	for p := (pending{id: id}); !p.reply; {
		m, err := c.next(time.Minute)
		if err != nil {
			return 0, err
		}
		p.see(m)
	}
	return time.Since(begin), nil
}
