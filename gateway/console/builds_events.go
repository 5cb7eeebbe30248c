package console

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

// buildEvents streams what a build does, as server-sent events, from its beginning or from where the client was, to its end. It
// ends before when the client goes, loses its rights, or the server stops; the client then comes again and goes on.
func (a *API) buildEvents(c echo.Context) error {
	n, err := buildOf(c)
	if err != nil {
		return err
	}
	project, name := c.Param("project"), c.Param("environment")
	b, err := a.envs.GetBuild(c.Request().Context(), project, name, n)
	if err != nil {
		return err
	}
	over, stop := until(c, door.CallerOf(c))
	defer stop()
	events := a.beside(over, a.envs.Events(over, project, name, n, lastSeen(c)))
	out := newEventWriter(c)
	defer out.close()
	var first []driver.Event
	if b.State.Ended() { // all is there already: nothing means that the client has had it
		e, ok := <-events
		if !ok && over.Err() != nil {
			return nil
		}
		if !ok {
			return c.NoContent(http.StatusNoContent) // which tells clients not to come again
		}
		first = append(first, e)
	}
	out.head()
	if err := out.write("retry: 2000\n\n"); err == nil {
		_ = follow(over, out, first, events) // the client is gone; there is nobody to tell
	}
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

// gathered is how many events wait for a client that is slow to take them, to go out together.
const gathered = 64

// beside reads events beside the one who writes them and pings. It closes the channel when there are no more, or ctx ends.
func (a *API) beside(ctx context.Context, events iter.Seq2[driver.Event, error]) <-chan driver.Event {
	out := make(chan driver.Event, gathered)
	go func() {
		defer close(out)
		for e, err := range events {
			if err != nil {
				if ctx.Err() == nil {
					a.log.WarnContext(ctx, "events of a build broke off", "err", err)
				}
				return
			}
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// follow writes events until there are no more, or ctx ends.
func follow(ctx context.Context, out *eventWriter, first []driver.Event, events <-chan driver.Event) error {
	if err := send(out, first, events); err != nil {
		return err
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if err := send(out, []driver.Event{e}, events); err != nil {
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

// send writes events, and those that wait behind them, together.
func send(out *eventWriter, now []driver.Event, waiting <-chan driver.Event) error {
	for range len(waiting) {
		if e, ok := <-waiting; ok {
			now = append(now, e)
		}
	}
	var text []byte
	for _, e := range now {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		text = fmt.Appendf(text, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, data)
	}
	if len(text) == 0 {
		return nil
	}
	return out.write(string(text))
}
