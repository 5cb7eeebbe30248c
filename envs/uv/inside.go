package uv

import (
	"context"

	"github.com/hopyard/hopyard/internal/egress"
)

// inside lets requests go to hosts inside of the network around that the site has chosen: those of t, and of the indexes. Addresses of
// wheels come from locks and pages, and choose nothing.
func (t *Tool) inside(ctx context.Context, indexes ...string) context.Context {
	ctx = egress.Allow(ctx, egress.Hosts(append(indexes, t.Hosts...)...))
	return egress.Allow(ctx, func(ctx context.Context, host string) bool {
		if t.Path == "" {
			return false
		}
		index, err := t.DefaultIndex(context.WithoutCancel(ctx))
		return err == nil && egress.Hosts(index)(ctx, host)
	})
}
