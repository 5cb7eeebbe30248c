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

// Follow hears the event stream at path, after the event whose id is given, to its end. Hear says of each event whether it may be
// the last: a stream that ends behind such a one has ended, any other has broken off and is taken up again where it was, so that
// every event is heard once. It gives up when the gateway stays away for a minute.
func (c *Client) Follow(ctx context.Context, path, after string, hear func(Event) (last bool)) error {
	lost := time.Time{} // when the stream was lost
	for {
		last := false
		again, heard, err := c.stream(ctx, path, &after, func(e Event) { last = hear(e) })
		if !again || last {
			return ended(ctx, err, last)
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

// ended is nil for a stream that was heard out, whatever ended its connection.
func ended(ctx context.Context, err error, last bool) error {
	if last && ctx.Err() == nil {
		return nil
	}
	return err
}

// stream hears one connection. It moves after along, and reports whether to try again and whether anything has been heard.
func (c *Client) stream(ctx context.Context, path string, after *string, hear func(Event)) (again, heard bool, err error) {
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
	if resp.StatusCode == http.StatusNoContent { // which says that nothing more will come
		return false, false, nil
	}
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	err = read(resp.Body, func() { watchdog.Reset(silence) }, func(e Event) {
		heard = true
		if e.ID != "" {
			*after = e.ID
		}
		hear(e)
	})
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

// read parses a stream (HTML, section 9.2.6) and calls alive for every line.
func read(r io.Reader, alive func(), hear func(Event)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var e Event
	for lines.Scan() {
		alive()
		line := lines.Text()
		if line == "" {
			if e.Data != nil {
				hear(e)
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
