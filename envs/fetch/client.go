package fetch

import (
	"errors"
	"net/http"

	"github.com/hopyard/hopyard/internal/egress"
)

// connections is how many to one host are kept for the next request.
const connections = 8

// client is shared by all that is asked, so that connections are. Its transport knows the proxies of the environment, and goes inside
// of the network around only where a context allows it.
var client = &http.Client{
	Transport: func() http.RoundTripper {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = connections
		transport.ResponseHeaderTimeout = window
		return egress.Guard(transport)
	}(),
	CheckRedirect: func(req *http.Request, via []*http.Request) error {
		req.Header.Del("Referer") // a channel's address may have a token in its path
		switch {
		case len(via) >= 10:
			return errors.New("too many redirects")
		case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
			return errors.New("redirected from https to " + req.URL.Scheme)
		}
		return nil
	},
}

// Do sends a request in the way of downloads: through the same connections, by the same rules.
func Do(req *http.Request) (*http.Response, error) { return client.Do(req) }
