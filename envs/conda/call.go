package conda

import (
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// patience is how long a helper may take to let go of a request that was taken back. One that does not is killed.
const patience = 3 * time.Second

// call is one request that is under way.
type call struct {
	take func(message) error // reads the result
	tell func(message)       // hears events; nil where there are none
	done chan error          // gets what came of it, once
	left bool                // nobody waits for it any more; helper.mu guards it
}

func (c *call) answer(err error) { c.done <- err }

// call asks the helper and waits for the answer or for the end of ctx, whose cause is returned then. take and tell are called
// in the order of the helper's messages, one at a time.
func (h *helper) call(ctx context.Context, r request, take func(message) error, tell func(message)) error {
	c := &call{take: take, tell: tell, done: make(chan error, 1)}
	if err := h.register(c, &r); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { h.takeBack(r.ID) })
	defer stop()
	if err := h.write(r); err != nil {
		// The helper has ended or is about to: what it says of that is worth more than the broken pipe.
		h.kill()
		<-h.gone
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
	}
	if h.leave(r.ID, c) {
		return ended(ctx)
	}
	return <-c.done // the answer came at the same time
}

// leave says that nobody waits for a request any more, unless it is being answered at this moment.
func (h *helper) leave(id int, c *call) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, open := h.pending[id]
	c.left = open
	return open
}

func (h *helper) register(c *call, r *request) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.death != nil {
		return h.death
	}
	h.last++
	r.ID = h.last
	h.pending[r.ID] = c
	if r.prefer != nil {
		r.prefer(h, r)
	}
	return nil
}

// takeBack asks the helper to let go of a request, and kills it where it does not.
func (h *helper) takeBack(id int) {
	timer := time.AfterFunc(patience, func() {
		h.mu.Lock()
		_, stuck := h.pending[id]
		h.mu.Unlock()
		if stuck {
			h.kill()
		}
	})
	if err := h.write(request{ID: id, Op: "cancel", Of: id}); err != nil {
		timer.Stop()
	}
}

// deliver hands a message to the request that it is about. Those about requests that nobody knows are of no interest.
func (h *helper) deliver(m message) {
	h.mu.Lock()
	c := h.pending[m.ID]
	if m.ends() {
		delete(h.pending, m.ID)
	}
	left := c != nil && c.left
	h.mu.Unlock()
	switch {
	case c == nil, left:
	case m.Failure != nil:
		c.answer(m.Failure.failure())
	case m.Result != nil:
		c.answer(c.take(m))
	case c.tell != nil:
		c.tell(m)
	}
}

// ended is the failure that the end of ctx stands for.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if f, ok := errors.AsType[*driver.Failure](cause); ok {
		return f
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return driver.Failf(driver.TimedOut, "it took too long: %w", cause)
	}
	return driver.Failf(driver.Canceled, "canceled: %w", cause)
}
