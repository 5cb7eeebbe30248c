// Package gateway is the HTTP server at the edge: it puts the doors together, and keeps nothing that a restart would lose.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hopyard/hopyard/gateway/auth"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/labstack/echo/v4"
)

// Config is what a Server is made of.
type Config struct {
	// Doors are served besides the login pages and the console's pages.
	Doors []door.Door
	Auth  *auth.Gate
	// Console serves the pages of the console.
	Console http.Handler
	Log     *slog.Logger
	// Ready says whether the gateway can do its work; nil means always.
	Ready func(context.Context) error
	// Proxies are the networks whose X-Forwarded-For is believed; none means that nobody's is.
	Proxies []netip.Prefix
}

// Server serves the doors. Its methods are safe for concurrent use.
type Server struct {
	http    *http.Server
	sockets *door.Sockets
	figures *figures
	ready   func(context.Context) error
	log     *slog.Logger
}

// New makes a Server. It panics if a door has a route that declares no permission, or two have the same one.
func New(c Config) *Server {
	s := &Server{sockets: door.NewSockets(), figures: newFigures(), ready: c.Ready, log: c.Log}
	e := echo.New()
	e.IPExtractor = addressOf(c.Proxies)
	r := door.NewRegistrar(e, c.Auth, c.Log, siteError)
	for _, d := range append([]door.Door{c.Auth.Door(), pages(c.Console), homes()}, c.Doors...) {
		r.Add(d)
	}
	s.http = &http.Server{
		Handler:           auth.TakeURLToken(s.figures.count(e)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return s.sockets.In(context.Background()) },
	}
	return s
}

// addressOf finds out a client's address: the connection's own, or what a declared proxy says.
func addressOf(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		p = p.Masked()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP:   p.Addr().AsSlice(),
			Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// Handler is everything that the public reaches, without a listener. Websockets opened through it outlive Shutdown.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers requests from l, and closes it, until Shutdown; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown tells the websockets to come back later, ends the event streams, lets other requests finish until ctx ends, and
// then breaks off what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.sockets.Drain()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(context.Cause(ctx), s.http.Close())
	}
	return nil
}
