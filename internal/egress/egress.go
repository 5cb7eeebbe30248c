// Package egress keeps requests to addresses that somebody else chose out of the network around this host. A name says nothing of
// where it leads, so that the address is looked at when it is dialled, for each redirect anew.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// shared is the space of addresses between providers and their customers, which is nobody's on the Internet (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// Internal says whether an IP address is one of this host or of a network around it, not of the Internet.
func Internal(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || shared.Contains(ip)
}

// Error says that a request led to an address inside.
type Error struct {
	Host string
	IP   netip.Addr
}

// Error is a sentence.
func (e *Error) Error() string {
	return fmt.Sprintf("%s leads to %s, which is inside of this network", e.Host, e.IP)
}

type key struct{}

// Allow gives a context whose requests may go inside to the hosts, names without a port, of which may is true; those that ctx allows
// stay allowed. may is asked while a connection is made.
func Allow(ctx context.Context, may func(ctx context.Context, host string) bool) context.Context {
	before := allowed(ctx)
	return context.WithValue(ctx, key{}, func(c context.Context, host string) bool { return before(c, host) || may(c, host) })
}

func allowed(ctx context.Context) func(context.Context, string) bool {
	if may, ok := ctx.Value(key{}).(func(context.Context, string) bool); ok {
		return may
	}
	return func(context.Context, string) bool { return false }
}

// Hosts are the host names in addresses and in hosts with or without a port, for Allow.
func Hosts(places ...string) func(context.Context, string) bool {
	hosts := map[string]bool{}
	for _, place := range places {
		if !strings.Contains(place, "://") {
			place = "https://" + place
		}
		if u, err := url.Parse(place); err == nil && u.Hostname() != "" {
			hosts[strings.ToLower(u.Hostname())] = true
		}
	}
	return func(_ context.Context, host string) bool { return hosts[strings.ToLower(host)] }
}

// transport sends requests straight or by the proxy, which may be inside.
type transport struct {
	direct, proxied *http.Transport
	proxy           func(*http.Request) (*url.URL, error)
}

// Guard gives a transport like base whose requests go inside only where their context allows the host; others fail with *Error.
// Where base has a proxy for a request, that is asked, and names are its business.
func Guard(base *http.Transport) http.RoundTripper {
	t := &transport{direct: base.Clone(), proxied: base.Clone(), proxy: base.Proxy}
	t.direct.Proxy, t.direct.DialContext = nil, dial
	return t
}

// RoundTrip is http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.proxy == nil {
		return t.direct.RoundTrip(r)
	}
	proxy, err := t.proxy(r)
	if err != nil || proxy == nil {
		return t.direct.RoundTrip(r)
	}
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil {
		if err := check(r.Context(), r.URL.Hostname(), ip); err != nil {
			return nil, err
		}
	}
	return t.proxied.RoundTrip(r)
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 30 * time.Second, ControlContext: func(_ context.Context, _, to string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(to)
		if err != nil {
			return err
		}
		return check(ctx, host, at.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

func check(ctx context.Context, host string, ip netip.Addr) error {
	if !Internal(ip) || allowed(ctx)(ctx, host) {
		return nil
	}
	return &Error{Host: host, IP: ip}
}
