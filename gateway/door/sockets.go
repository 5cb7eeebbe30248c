package door

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/labstack/echo/v4"
)

// closeWait is how long a client that is told to go may take, to read why and to go by itself.
const closeWait = 250 * time.Millisecond

// Sockets are the open websockets of one server. All methods are safe for concurrent use.
type Sockets struct {
	draining context.Context // ended by Drain
	drain    context.CancelFunc

	mu   sync.Mutex
	open map[*socket]struct{} // guarded by mu; nil once draining
}

// NewSockets returns an empty set.
func NewSockets() *Sockets {
	s := &Sockets{open: map[*socket]struct{}{}}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

type socketsKey struct{}

// In gives ctx, the base of a server's requests, the set that its websockets are in.
func (s *Sockets) In(ctx context.Context) context.Context {
	return context.WithValue(ctx, socketsKey{}, s)
}

func socketsOf(ctx context.Context) *Sockets {
	s, _ := ctx.Value(socketsKey{}).(*Sockets)
	return s
}

// Draining is done when the server of the request with context ctx begins to shut down: requests that last end then.
func Draining(ctx context.Context) context.Context {
	if s := socketsOf(ctx); s != nil {
		return s.draining
	}
	return context.Background()
}

// Draining is done when Drain begins.
func (s *Sockets) Draining() context.Context { return s.draining }

// Count says how many are open.
func (s *Sockets) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Drain closes all websockets, and those that come, with 1012 "service restart": JupyterLab comes back after it, and never
// after 1000 or 1001. It returns when the clients have been told, or cannot be.
func (s *Sockets) Drain() {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	s.drain()
	var told sync.WaitGroup
	for sock := range open {
		told.Go(func() { sock.end(websocket.CloseServiceRestart, "the gateway restarts") })
	}
	told.Wait()
}

// add takes sock into the set, or reports that the server is draining.
func (s *Sockets) add(sock *socket) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return false
	}
	s.open[sock] = struct{}{}
	return true
}

func (s *Sockets) remove(sock *socket) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sock)
}

// socket is one open websocket as its set sees it.
type socket struct {
	ws   *websocket.Conn
	once sync.Once
	gone chan struct{} // closed when the connection is
}

// end tells the client why, which makes the handler's writes fail, and closes the connection when the client has answered or
// has had its time: at once could be before the client is told, behind what is being written.
func (s *socket) end(code int, text string) {
	s.once.Do(func() {
		message := websocket.FormatCloseMessage(code, text)
		if s.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeWait)) == nil {
			if b, ok := BatchOf(s.ws); ok {
				b.Settle()
			}
			select {
			case <-s.gone:
			case <-time.After(closeWait):
			}
		}
		_ = s.ws.Close()
	})
}

// UpgradeOptions say how a websocket is opened.
type UpgradeOptions struct {
	// Subprotocols are those that the server speaks, best first. A client that offers none of them gets none.
	Subprotocols []string
	// MaxMessage is the largest message that is read, in bytes; 0 means 64 MiB.
	MaxMessage int64
}

// writeBuffers are shared by all websockets: an idle one holds none.
var writeBuffers sync.Pool

// Upgrade turns a request into a websocket: the only way to get one. Pages of other origins are refused (problem.Denied)
// unless the request carries a token. The websocket is closed by itself when the Caller's credential or membership is
// revoked (1008) and when the server shuts down (1012); reads and writes fail then. The caller closes it in any case.
func Upgrade(c echo.Context, o UpgradeOptions) (*websocket.Conn, error) {
	req := c.Request()
	who := CallerOf(c)
	if (who == nil || !who.Token) && http.NewCrossOriginProtection().Check(asPost(req)) != nil {
		return nil, problem.New(problem.Denied, "a page of another origin may not open this")
	}
	upgrader := websocket.Upgrader{
		HandshakeTimeout: 10 * time.Second,
		ReadBufferSize:   1 << 10,
		WriteBufferSize:  4 << 10,
		WriteBufferPool:  &writeBuffers,
		Subprotocols:     o.Subprotocols,
		CheckOrigin:      func(*http.Request) bool { return true }, // done above
		Error:            func(http.ResponseWriter, *http.Request, int, error) {},
	}
	hijack := &hijacker{ResponseWriter: c.Response().Writer}
	ws, err := upgrader.Upgrade(hijack, req, http.Header{echo.HeaderXRequestID: {RequestID(c)}})
	if err != nil {
		return nil, problem.New(problem.Invalid, "this is not a websocket handshake: %w", err)
	}
	c.Response().Committed = true
	if o.MaxMessage <= 0 {
		o.MaxMessage = 64 << 20
	}
	ws.SetReadLimit(o.MaxMessage)
	attend(ws, hijack.hook, socketsOf(req.Context()), who)
	return ws, nil
}

// attend ends the websocket when its server or its caller's rights end, and forgets it when it is closed.
func attend(ws *websocket.Conn, hook *closeHook, set *Sockets, who *Caller) {
	sock := &socket{ws: ws, gone: make(chan struct{})}
	unwatch := func() bool { return true }
	if who != nil && who.Valid != nil {
		unwatch = context.AfterFunc(who.Valid, func() { sock.end(websocket.ClosePolicyViolation, "your access has been revoked") })
	}
	hook.set(func() {
		unwatch()
		set.remove(sock)
		close(sock.gone)
	})
	if !set.add(sock) {
		sock.end(websocket.CloseServiceRestart, "the gateway restarts")
	}
}

// hijacker hands the connection to the websocket with a hook in it.
type hijacker struct {
	http.ResponseWriter
	hook *closeHook
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.hook = &closeHook{}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return newBatch(hookedTCP{tcp, h.hook}), rw, nil
	}
	return newBatch(hookedConn{conn, h.hook}), rw, nil
}

// closeHook calls a function when its connection is closed, once.
type closeHook struct {
	mu     sync.Mutex
	closed bool   // guarded by mu
	call   func() // guarded by mu
}

// set has f called when the connection is closed, or now if it has been.
func (h *closeHook) set(f func()) {
	h.mu.Lock()
	h.call = f
	closed := h.closed
	h.mu.Unlock()
	if closed {
		f()
	}
}

func (h *closeHook) fire() {
	h.mu.Lock()
	f := h.call
	if h.closed {
		f = nil
	}
	h.closed = true
	h.mu.Unlock()
	if f != nil {
		f()
	}
}

// hookedTCP is a TCP connection that tells when it is closed, and still gives its socket to those who ask.
type hookedTCP struct {
	*net.TCPConn
	hook *closeHook
}

// Close closes the connection and tells.
func (c hookedTCP) Close() error {
	defer c.hook.fire()
	return c.TCPConn.Close()
}

// hookedConn is any other connection that tells when it is closed.
type hookedConn struct {
	net.Conn
	hook *closeHook
}

// Close closes the connection and tells.
func (c hookedConn) Close() error {
	defer c.hook.fire()
	return c.Conn.Close()
}
