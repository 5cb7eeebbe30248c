package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

// buildEvents streams what a build does, as server-sent events, from its beginning or from where the client was, until its result.
// It ends before when the client goes, loses its rights, or the server stops; the client then comes again and goes on.
func (a *API) buildEvents(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	over, stop := until(c, door.CallerOf(c))
	defer stop()
	events, err := a.envs.Events(over, c.Param("project"), c.Param("environment"), n, lastSeen(c))
	if err != nil {
		return err
	}
	first, heardOut, err := a.firstEvent(over, c, n, events)
	if err != nil {
		return err
	}
	if heardOut {
		return c.NoContent(http.StatusNoContent) // which tells clients not to come again
	}
	out := newEventWriter(c)
	defer out.close()
	out.head()
	if err := out.write("retry: 2000\n\n"); err != nil {
		return nil // the client is gone; there is nobody to tell
	}
	_ = follow(over, out, first, events) // the same
	return nil
}

// lastSeen is the number of the last event that the client has. What is no number is none of ours: it gets everything.
func lastSeen(c echo.Context) uint64 {
	n, err := strconv.ParseUint(c.Request().Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// firstEvent waits for the first event of a build that has ended, whose events are all there: none means that the client has had
// the result already.
func (a *API) firstEvent(ctx context.Context, c echo.Context, n int, events <-chan driver.Event) (first *driver.Event, heardOut bool, err error) {
	b, err := a.envs.GetBuild(ctx, c.Param("project"), c.Param("environment"), n)
	if err != nil || !b.State.Ended() {
		return nil, false, err
	}
	e, ok := <-events
	if !ok {
		return nil, ctx.Err() == nil, nil
	}
	return &e, false, nil
}

// follow writes events until the result, or until ctx ends.
func follow(ctx context.Context, out *eventWriter, first *driver.Event, events <-chan driver.Event) error {
	if first != nil {
		if done, err := send(out, *first, events); done || err != nil {
			return err
		}
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if done, err := send(out, e, events); done || err != nil {
				return err
			}
		case <-ping.C:
			if err := out.ping(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// gatherBytes is how much goes out at once while more is at hand.
const gatherBytes = 64 << 10

// send writes an event and those that are at hand behind it. It reports whether the result was among them.
func send(out *eventWriter, e driver.Event, events <-chan driver.Event) (done bool, err error) {
	var text []byte
	for {
		data, err := json.Marshal(e)
		if err != nil {
			return false, err
		}
		text = fmt.Appendf(text, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, data)
		if done = e.Type == driver.TypeResult; done || len(text) > gatherBytes {
			return done, out.write(string(text))
		}
		select {
		case next, ok := <-events:
			if !ok {
				return true, out.write(string(text))
			}
			e = next
		default:
			return false, out.write(string(text))
		}
	}
}
