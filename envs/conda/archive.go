package conda

import (
	"context"
	"errors"
	"net"
	"net/url"
	"path"
	"slices"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/egress"
)

// Fetch brings the archive of a package to the path to, in the way of fetch.Source.Get, whose words on to and told hold here, too.
// Channels are what the lock has them from: they may be inside of the network around, and one that is may lead to other hosts there.
func Fetch(ctx context.Context, from fetch.Source, p lock.Package, channels []string, to string, told func(have int64)) error {
	ctx = egress.Allow(ctx, egress.Hosts(slices.Concat(channels, []string{p.URL})...))
	ctx = egress.Allow(ctx, func(ctx context.Context, _ string) bool { return isInside(ctx, p.URL) })
	return from.Get(ctx, fileOf(p), to, told)
}

// fileOf is a package's archive.
func fileOf(p lock.Package) fetch.File {
	name := p.Name
	if address, err := url.Parse(p.URL); err == nil {
		name = path.Base(address.Path)
	}
	return fetch.File{Package: p.Name, Name: name, URL: p.URL, SHA256: p.SHA256, Size: p.Size, Channel: true}
}

// isInside says whether an address leads inside of the network around.
func isInside(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	return err == nil && slices.ContainsFunc(all, egress.Internal)
}

// whereCredentialsGo adds to a refusal how to give a password.
func whereCredentialsGo(err error) error {
	f, ok := errors.AsType[*driver.Failure](err)
	if !ok || f.Cause != driver.AuthFailed {
		return err
	}
	more := *f
	more.Message += "; name a file of credentials in the configuration (environments: credentials); there, a channel's are below its host, without a port"
	return &more
}
