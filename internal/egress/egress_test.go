package egress_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/egress"
)

func TestRequestsGoInsideOnlyWhereTheyMay(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for name, c := range map[string]struct {
		address, allowed string
		want             bool
	}{
		"nobody said so":         {server.URL, "", false},
		"by its address":         {server.URL, server.URL, true},
		"by its host":            {server.URL, "127.0.0.1:1", true},
		"a name that leads here": {named, "", false},
		"another name":           {named, "127.0.0.1", false},
		"that name":              {named, "localhost", true},
		"redirected":             {server.URL + "?to=" + url.QueryEscape(named), "127.0.0.1", false},
	} {
		ctx := t.Context()
		if c.allowed != "" {
			ctx = egress.Allow(ctx, egress.Hosts(c.allowed))
		}
		client := http.Client{Transport: egress.Guard(&http.Transport{DisableKeepAlives: true})}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		_, refused := errors.AsType[*egress.Error](err)
		if (err == nil) != c.want || refused == c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProxyMayBeInsideButNotWhatIsAskedOfIt(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: egress.Guard(&http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true})}
	for address, want := range map[string]bool{"http://public.example/": true, "http://169.254.169.254/latest": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestInternalAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"127.0.0.1": true, "10.0.0.1": true, "172.16.1.1": true, "192.168.1.1": true, "169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true,
		"::1": true, "::": true, "fe80::1%eth0": true, "fd00::1": true, "::ffff:10.0.0.1": true, "224.0.0.1": true,
		"1.1.1.1": false, "172.32.0.1": false, "100.128.0.1": false, "2001:4860:4860::8888": false,
	} {
		if got := egress.Internal(netip.MustParseAddr(text)); got != want {
			t.Errorf("Internal(%s) = %v", text, got)
		}
	}
}
