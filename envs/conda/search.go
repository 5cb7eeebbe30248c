package conda

import (
	"context"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
)

// Search implements driver.Driver. It looks in the channels alone: for a name in full, then for names that begin with the
// text, then for those that have it somewhere.
func (d *Driver) Search(ctx context.Context, q driver.Query) ([]driver.Found, error) {
	text := strings.TrimSpace(q.Text)
	if text == "" || len(q.Channels) == 0 || q.Limit <= 0 {
		return nil, nil
	}
	var answer struct {
		Found []driver.Found `json:"found"`
	}
	r := request{Op: "search", Channels: d.addresses(q.Channels), Text: text, Limit: q.Limit}
	err := d.ask(ctx, r, func(m message) error { return m.into(&answer) })
	return answer.Found, err
}
