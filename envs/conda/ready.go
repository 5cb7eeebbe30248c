package conda

import (
	"context"

	"github.com/hopyard/hopyard/envs/driver"
)

// Ready starts the helper of the next installation ahead and returns when it can begin. An installation that comes before that
// has the helper all the same, and waits for it.
func (d *Driver) Ready(ctx context.Context) error {
	h, err := d.prepared()
	if err != nil {
		return err
	}
	return plain(h.call(ctx, request{Op: "hello"}, func(message) error { return nil }, nil))
}

// prepared is the helper that the next installation gets, started where there is none.
func (d *Driver) prepared() (*helper, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, driver.Failf(driver.Canceled, "the driver is closed")
	}
	if d.spare != nil && d.spare.alive() {
		return d.spare, nil
	}
	h, err := d.start()
	if err == nil {
		d.spare = h
	}
	return h, err
}

// installer gives a helper for one installation: the one that was made ready, if it still lives.
func (d *Driver) installer() (*helper, error) {
	d.mu.Lock()
	h := d.spare
	d.spare = nil
	d.mu.Unlock()
	if h != nil && h.alive() {
		return h, nil
	}
	return d.start()
}
