package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/kernels/wire"
)

// do sends a request and decodes the answer into out. Where that is nil it counts the bytes of the answer instead. The body
// is JSON already, or nil; any status but 2xx is an error.
func (s *server) do(ctx context.Context, method, path string, body []byte, out any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "token "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return 0, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if out == nil {
		n, err := io.Copy(io.Discard, resp.Body)
		return int(n), err
	}
	return 0, json.NewDecoder(resp.Body).Decode(out)
}

// get asks for an address. Any status but 200 is an error.
func (s *server) get(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "token "+s.token)
	resp, err := s.http.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		_ = resp.Body.Close()
		err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, text)
	}
	return resp, err
}

// text is what an address answers.
func (s *server) text(ctx context.Context, url string) (string, error) {
	resp, err := s.get(ctx, url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// startKernel starts a kernel and returns its id.
func (s *server) startKernel(ctx context.Context, spec string) (string, error) {
	var kernel struct{ ID string }
	_, err := s.do(ctx, http.MethodPost, "/api/kernels", fmt.Appendf(nil, `{"name":%q}`, spec), &kernel)
	return kernel.ID, err
}

func (s *server) stopKernel(id string) error {
	_, err := s.do(context.Background(), http.MethodDelete, "/api/kernels/"+id, nil, nil)
	return err
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// channels is an open kernel websocket with v1 framing. One goroutine reads; what next returns is good until it is
// called again.
type channels struct {
	ws      *websocket.Conn
	session string
	buf     []byte
	out     []byte
}

// Sizes of a client's read buffer: a busy one must not be what limits a server, and thousands of idle ones must fit.
const (
	busyBuffer = 256 << 10
	idleBuffer = 512
)

// dial opens a kernel's websocket as the client session.
func (s *server) dial(ctx context.Context, kernel, session string, buffer int) (*channels, error) {
	d := websocket.Dialer{
		HandshakeTimeout: time.Minute, ReadBufferSize: buffer, WriteBufferSize: 4 << 10, Subprotocols: []string{wire.V1Protocol},
		NetDialContext: new(net.Dialer).DialContext,
	}
	url := "ws" + strings.TrimPrefix(s.base, "http") + "/api/kernels/" + kernel + "/channels?session_id=" + session
	//nolint:bodyclose // the dialer has read what there is of it
	ws, resp, err := d.DialContext(ctx, url, http.Header{"Authorization": {"token " + s.token}})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		return nil, err
	}
	if ws.Subprotocol() != wire.V1Protocol {
		_ = ws.Close()
		return nil, errors.New("the server does not speak the v1 framing")
	}
	return &channels{ws: ws, session: session}, nil
}

// open is dial for a client that is read all the time.
func (s *server) open(ctx context.Context, kernel string) (*channels, error) {
	return s.dial(ctx, kernel, newID(), busyBuffer)
}

func (c *channels) close() { _ = c.ws.Close() }

// next waits for a message, at most until the limit. It copies nothing and allocates nothing for what is small.
func (c *channels) next(limit time.Duration) (wire.Message, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return wire.Message{}, err
	}
	_, r, err := c.ws.NextReader()
	if err != nil {
		return wire.Message{}, err
	}
	c.buf = c.buf[:0]
	for {
		if len(c.buf) == cap(c.buf) {
			c.buf = append(c.buf, 0)[:len(c.buf)]
		}
		n, err := r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		if err == io.EOF {
			return wire.ParseV1(c.buf)
		}
		if err != nil {
			return wire.Message{}, err
		}
	}
}

// execute sends a cell and returns the id of the request.
func (c *channels) execute(code string) (string, error) {
	id, m := executeRequest(c.session, code)
	c.out = wire.AppendV1(c.out[:0], m)
	return id, c.ws.WriteMessage(websocket.BinaryMessage, c.out)
}

func executeRequest(session, code string) (string, wire.Message) {
	id := newID()
	content, _ := json.Marshal(map[string]any{ // strings and booleans always encode
		"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": true,
	})
	header := wire.NewHeader(id, "execute_request", session, "bench", time.Now())
	return id, wire.Message{Channel: wire.Shell, Header: header, Content: content}
}

// pending is a request that has not been answered wholly.
type pending struct {
	id          string
	reply, idle bool
}

// see takes note of a message and says whether it belongs to the request.
func (p *pending) see(m wire.Message) bool {
	if !bytes.Contains(m.Parent, []byte(p.id)) {
		return false
	}
	switch m.Channel {
	case wire.Shell:
		p.reply = true
	case wire.IOPub:
		p.idle = p.idle || wire.IsType(m.Header, "status") && bytes.Contains(m.Content, []byte(`"idle"`))
	}
	return true
}

func (p *pending) done() bool { return p.reply && p.idle }

// run executes a cell and waits until it has been answered and the kernel is idle. each, if not nil, sees every message
// of the cell.
func (c *channels) run(code string, limit time.Duration, each func(wire.Message)) error {
	id, err := c.execute(code)
	if err != nil {
		return err
	}
	for p := (pending{id: id}); !p.done(); {
		m, err := c.next(limit)
		if err != nil {
			return err
		}
		if p.see(m) && each != nil {
			each(m)
		}
	}
	return nil
}

// warm starts a kernel, opens it and runs a first cell.
func (s *server) warm(ctx context.Context, spec string) (string, *channels, error) {
	kernel, err := s.startKernel(ctx, spec)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", s.name, err)
	}
	c, err := s.open(ctx, kernel)
	if err == nil {
		err = c.run("1", time.Minute, nil)
	}
	if err != nil {
		return kernel, nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return kernel, c, nil
}
