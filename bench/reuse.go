package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

const imports = "import numpy"

// reuse gives the lock of one project to others: from the request until numpy is imported from the prefix. The peer installs the same
// packages anew, as it would for every project.
func (b *benchmark) reuse(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	text, err := s.export(ctx, "demo", "python", "lock")
	if err != nil {
		return err
	}
	file, err := s.teach(ctx, "demo", "python")
	if err != nil {
		return err
	}
	const rounds = 7
	var ready, usable, alone, peer samples
	for i := range rounds {
		project := fmt.Sprintf("reuse-%d", i)
		if err := s.project(ctx, project); err != nil {
			return err
		}
		begin := time.Now()
		if err := s.create(ctx, project, map[string]any{"name": "again", "lock": text}); err != nil {
			return err
		}
		ready = append(ready, time.Since(begin).Seconds())
		a, err := s.activation(ctx, project, "again")
		if err != nil {
			return err
		}
		_, took, err := timed(ctx, nil, a.Python, "-c", imports)
		if err != nil {
			return err
		}
		usable, alone = append(usable, time.Since(begin).Seconds()), append(alone, took.Seconds())
		if b.alone || i%2 == 1 {
			continue
		}
		begin = time.Now()
		prefix, _, _, err := s.peer.alone(ctx, file)
		if err == nil {
			_, _, err = timed(ctx, nil, prefix+"/bin/python", "-c", imports)
		}
		peer = append(peer, time.Since(begin).Seconds())
		if err = errors.Join(err, os.RemoveAll(prefix)); err != nil {
			return err
		}
	}
	b.figure("unchanged lock in a second project: asked to ready, p50", ready.at(0.5)*1000, "ms")
	b.atMost("unchanged lock in a second project: asked to importable, p50", usable.at(0.5), "s", 0.3)
	b.figure("of it the start of Python and the import of numpy", alone.at(0.5), "s")
	if !b.alone {
		b.beside("unchanged lock in a second project: to importable, p50", usable.at(0.5), peer.at(0.5), "s", rattlerAlone, peer.at(0.5)/usable.at(0.5), 0)
	}
	return nil
}

// rattlerAlone is the peer's name.
const rattlerAlone = "py-rattler alone"

// teach has the peer know exactly what is in an environment, with its packages in its cache, and gives a lock file of that.
func (s *site) teach(ctx context.Context, project, name string) (file string, err error) {
	text, err := s.export(ctx, project, name, "explicit")
	if err != nil {
		return "", err
	}
	if file, err = s.peer.know(s.channel, exact(text)); err != nil {
		return "", err
	}
	prefix, _, err := s.peer.install() // what it has once unpacked it links from then on
	return file, errors.Join(err, os.RemoveAll(prefix))
}

// rollback activates two builds in turns and looks for how long the next kernel would still get the other one.
func (b *benchmark) rollback(ctx context.Context) error {
	s, err := b.siteFor(ctx)
	if err != nil {
		return err
	}
	const project, name = "rollback", "python"
	if err := s.project(ctx, project); err != nil {
		return err
	}
	builds := make([]activation, 2)
	if builds[0], err = s.activation(ctx, project, name); err != nil {
		return err
	}
	if _, _, _, err := s.edit(ctx, project, name, adding("symlink-inside")); err != nil {
		return err
	}
	if builds[1], err = s.activation(ctx, project, name); err != nil {
		return err
	}
	var offered, answered, cell samples
	for i := range 20 {
		to := builds[i%2]
		begin := time.Now()
		if err := s.call(ctx, http.MethodPost, environmentPath(project, name)+"/activate", map[string]any{"build": to.Build}, nil); err != nil {
			return err
		}
		answered = append(answered, milliseconds(time.Since(begin)))
		if err := s.proc.until(ctx, time.Minute, func(ctx context.Context) error { return s.offers(ctx, project, to.ID) }); err != nil {
			return err
		}
		offered = append(offered, milliseconds(time.Since(begin)))
		if i%4 != 3 {
			continue
		}
		if err := s.kernelRunsOn(ctx, project, to); err != nil {
			return err
		}
		cell = append(cell, milliseconds(time.Since(begin)))
	}
	b.figure("rollback: answered, p50", answered.at(0.5), "ms")
	b.atMost("rollback: asked until kernelspecs name the old build, p50", offered.at(0.5), "ms", 50)
	b.figure("rollback: the same, longest of 20", offered.at(1), "ms")
	b.figure("rollback: asked until a cell of a new kernel has run on it, p50", cell.at(0.5), "ms")
	return nil
}

// offers says whether the next kernel of a project will run on a prefix.
func (s *site) offers(ctx context.Context, project, id string) error {
	var list struct {
		Kernelspecs map[string]struct {
			Spec struct {
				Metadata struct{ Hopyard struct{ ID string } }
			}
		}
	}
	if _, err := s.jupyter(project).do(ctx, http.MethodGet, "/api/kernelspecs", nil, &list); err != nil {
		return err
	}
	if got := list.Kernelspecs["python3"].Spec.Metadata.Hopyard.ID; got != id {
		return fmt.Errorf("kernels run on %q, not %q", got, id)
	}
	return nil
}

// kernelRunsOn starts a kernel and asks it for its prefix.
func (s *site) kernelRunsOn(ctx context.Context, project string, a activation) error {
	j := s.jupyter(project)
	kernel, err := j.startKernel(ctx, "python3")
	if err != nil {
		return err
	}
	defer j.stopKernel(kernel) //nolint:errcheck // the gateway ends next
	c, err := j.open(ctx, kernel)
	if err != nil {
		return err
	}
	defer c.close()
	said := ""
	err = c.run("import sys; sys.prefix", time.Minute, func(m wire.Message) {
		var result struct {
			Data map[string]string `json:"data"`
		}
		if wire.IsType(m.Header, "execute_result") && json.Unmarshal(m.Content, &result) == nil {
			said = result.Data["text/plain"]
		}
	})
	if err == nil && !strings.Contains(said, a.ID) {
		err = fmt.Errorf("the kernel runs on %s, not on %s", said, a.Prefix)
	}
	return err
}

// condaPackage names one of conda, at any version or exactly one.
func condaPackage(name string) map[string]string {
	name, version, pinned := strings.Cut(name, "=")
	p := map[string]string{"name": name, "from": "conda"}
	if pinned {
		p["version"] = "==" + version
	}
	return p
}

// adding is a change that adds packages of conda.
func adding(names ...string) map[string]any {
	var add []map[string]string
	for _, name := range names {
		add = append(add, condaPackage(name))
	}
	return map[string]any{"add": add}
}

func removing(names ...string) map[string]any { return map[string]any{"remove": names} }
