package uv

import (
	"context"
	"net/url"
	"path"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// FetchPackage brings the archive of a conda package to the file to, complete and with the hash of the lock, in the ways of Fetch: in
// several tries, going on where one was cut off, with the credentials of t. It comes from the Internet, from the hosts of t, and of the
// channels. tell hears of its bytes.
func (t *Tool) FetchPackage(ctx context.Context, p lock.Package, channels []string, to string, tell driver.Sink) error {
	address, err := url.Parse(p.URL)
	if err != nil {
		return driver.Failf(driver.SpecInvalid, "the lock cannot be used: the address of %s is none", p.Name)
	}
	known, err := t.credentials()
	if err != nil {
		return err
	}
	w := lock.Wheel{Name: p.Name, Version: p.Version, Filename: path.Base(address.Path), URL: p.URL, SHA256: p.SHA256, Size: p.Size}
	count := newCounter(driver.Fetch, []lock.Wheel{w}, tell)
	d := download{wheel: w, part: to, known: known, count: count, channel: true}
	return d.run(t.inside(ctx, channels...))
}
