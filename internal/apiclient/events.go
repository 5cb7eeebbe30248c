package apiclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Event is one server-sent event.
type Event struct {
	ID, Name string
	Data     []byte
}

// How long a stream that broke off is tried again, and how often: a gateway that restarts is back within seconds.
const (
	tryAgainFor   = time.Minute
	tryAgainAfter = 500 * time.Millisecond
)

// maxLine is the longest line of a stream in bytes: a conflict between many packages makes a long one.
const maxLine = 4 << 20

// errSilent means that a stream has not even sent a ping for long: the connection is dead.
var errSilent = errors.New("the stream went silent")

// silence is how long a stream may say nothing; the API pings every 15 s.
const silence = time.Minute

// Follow hears the event stream at path, after the event whose id is given, until hear returns false. A stream that breaks off is
// taken up again where it was, so that every event is heard once; it gives up when the gateway stays away for a minute.
func (c *Client) Follow(ctx context.Context, path, after string, hear func(Event) (more bool)) error {
	lost := time.Time{} // when the stream was lost
	for {
		again, heard, err := c.stream(ctx, path, &after, hear)
		if !again {
			return err
		}
		if heard || lost.IsZero() {
			lost = time.Now()
		}
		if time.Since(lost) > tryAgainFor {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(tryAgainAfter):
		}
	}
}

// stream hears one connection. It moves after along, and reports whether to try again and whether anything has been heard.
func (c *Client) stream(ctx context.Context, path string, after *string, hear func(Event) bool) (again, heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after != "" {
		header.Set("Last-Event-ID", *after)
	}
	resp, err := c.Send(ctx, Request{Method: http.MethodGet, Path: path, Header: header})
	if err != nil {
		return transient(err), false, err
	}
	defer resp.Body.Close()
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	err = read(resp.Body, func() { watchdog.Reset(silence) }, func(e Event) bool {
		heard = true
		if e.ID != "" {
			*after = e.ID
		}
		return hear(e)
	})
	if errors.Is(err, errEnough) {
		return false, true, nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errSilent) {
		return false, heard, cause
	}
	return true, heard, &UnreachableError{URL: c.url.Redacted(), Err: err}
}

// transient reports whether trying again may help: the gateway restarts, or a proxy in front of it says so.
func transient(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
	}
	_, ok := errors.AsType[*UnreachableError](err)
	return ok
}

// errEnough ends a stream that has been heard out.
var errEnough = errors.New("heard enough")

// read parses a stream (HTML, section 9.2.6) and calls alive for every line. It ends with errEnough when hear wants no more.
func read(r io.Reader, alive func(), hear func(Event) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var e Event
	for lines.Scan() {
		alive()
		line := lines.Text()
		if line == "" {
			if e.Data != nil && !hear(e) {
				return errEnough
			}
			e = Event{}
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Name = value
		case "data":
			if e.Data != nil {
				e.Data = append(e.Data, '\n')
			}
			e.Data = append(e.Data, value...)
			if e.Data == nil {
				e.Data = []byte{}
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
