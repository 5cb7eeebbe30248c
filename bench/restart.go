package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hopyard/hopyard/kernels/wire"
)

const (
	liveKernels = 100
	busyKernels = 10 // of them
	restarts    = 5
)

// restart measures how soon a killed gateway serves again with many live kernels and stored sessions, and whether a kernel
// was lost.
func (b *benchmark) restart(ctx context.Context) error {
	s, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	defer b.stopAll([]*server{s})
	progress("  starting %d kernels", liveKernels)
	kernels := make([]string, liveKernels)
	err = parallel(liveKernels, func(i int) (err error) {
		kernels[i], err = s.startKernel(ctx, fakeKernel)
		return err
	})
	if err != nil {
		return err
	}
	progress("  making %d sessions", b.sessions)
	begin := time.Now()
	err = parallel(b.sessions, func(i int) error {
		body := fmt.Appendf(nil, `{"path":"n%d.ipynb","name":"n%d.ipynb","type":"notebook","kernel":{"id":%q}}`, i, i, kernels[i%liveKernels])
		_, err := s.do(ctx, http.MethodPost, "/api/sessions", body, nil)
		return err
	})
	if err != nil {
		return err
	}
	b.figure("to make one of so many sessions", milliseconds(time.Since(begin))/float64(b.sessions), "ms")
	states := make(map[string]string, liveKernels)
	before, err := s.keepBusy(ctx, kernels, states)
	if err != nil {
		return err
	}
	if err := s.allServed(ctx, states, b.sessions); err != nil {
		return fmt.Errorf("before the kill: %w", err)
	}
	return b.restarts(ctx, s, kernels, states, before)
}

// keepBusy gives the first kernels a cell that does not end, and asks the others for their process ids. states gets what each
// must be listed with.
func (s *server) keepBusy(ctx context.Context, kernels []string, states map[string]string) (pids []string, err error) {
	for i, kernel := range kernels {
		if states[kernel] = "idle"; i >= busyKernels {
			continue
		}
		states[kernel] = "busy"
		c, err := s.open(ctx, kernel)
		if err != nil {
			return nil, err
		}
		if _, err = c.execute("sleep 3600000"); err != nil {
			return nil, err
		}
		if _, err := c.next(time.Minute); err != nil { // it has begun
			return nil, err
		}
		c.close()
	}
	return s.processes(ctx, kernels[busyKernels:])
}

// processes asks kernels for their process ids.
func (s *server) processes(ctx context.Context, kernels []string) ([]string, error) {
	pids := make([]string, len(kernels))
	return pids, parallel(len(kernels), func(i int) error {
		c, err := s.open(ctx, kernels[i])
		if err != nil {
			return err
		}
		defer c.close()
		return c.run("pid", time.Minute, func(m wire.Message) {
			var result struct {
				Data map[string]string `json:"data"`
			}
			if wire.IsType(m.Header, "execute_result") && json.Unmarshal(m.Content, &result) == nil {
				pids[i] = result.Data["text/plain"]
			}
		})
	})
}

func (b *benchmark) restarts(ctx context.Context, s *server, kernels []string, states map[string]string, before []string) error {
	var first, all samples
	for range restarts {
		s.proc.kill()
		begin := time.Now()
		if err := s.again(); err != nil {
			return err
		}
		err := s.proc.until(ctx, time.Minute, func(ctx context.Context) error {
			_, err := s.do(ctx, http.MethodGet, "/api/me", nil, nil)
			return err
		})
		first = append(first, time.Since(begin).Seconds())
		err = errors.Join(err, s.proc.until(ctx, time.Minute, func(ctx context.Context) error { return s.allServed(ctx, states, b.sessions) }))
		all = append(all, time.Since(begin).Seconds())
		if err != nil {
			return err
		}
	}
	b.atMost("killed to the first request served, median", first.at(0.5), "s", 0.5)
	b.figure("killed to the first request served, longest", first.at(1), "s")
	b.atMost("killed to all kernels and sessions listed truly, median", all.at(0.5), "s", 2)
	b.figure("killed to all kernels and sessions listed truly, longest", all.at(1), "s")
	after, err := s.processes(ctx, kernels[busyKernels:])
	if err != nil {
		return err
	}
	lost := 0
	for i := range before {
		if before[i] == "" || before[i] != after[i] {
			lost++
		}
	}
	b.atMost("kernels lost", float64(lost), "", 0)
	return nil
}

// allServed says whether all kernels are listed with their true states, and all sessions.
func (s *server) allServed(ctx context.Context, states map[string]string, sessions int) error {
	var kernels []struct {
		ID    string `json:"id"`
		State string `json:"execution_state"`
	}
	if _, err := s.do(ctx, http.MethodGet, "/api/kernels", nil, &kernels); err != nil {
		return err
	}
	if len(kernels) != len(states) {
		return fmt.Errorf("%d of %d kernels", len(kernels), len(states))
	}
	for _, k := range kernels {
		if states[k.ID] != k.State {
			return fmt.Errorf("kernel %s is %s, not %s", k.ID, k.State, states[k.ID])
		}
	}
	var listed []struct{}
	if _, err := s.do(ctx, http.MethodGet, "/api/sessions", nil, &listed); err != nil {
		return err
	}
	if len(listed) != sessions {
		return fmt.Errorf("%d of %d sessions", len(listed), sessions)
	}
	return nil
}

// parallel does n things, eight at a time.
func parallel(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs error
	next := make(chan int)
	for range 8 {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					mu.Lock()
					errs = errors.Join(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		mu.Lock()
		failed := errs != nil
		mu.Unlock()
		if failed {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return errs
}
