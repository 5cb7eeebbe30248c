package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/internal/egress"
)

// open gives the content from a byte on, which is have or 0.
func (d *download) open(ctx context.Context, have int64) (io.ReadCloser, int64, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, 0, errors.New("not an address")
	}
	if u.Scheme == "file" {
		return d.openFile(u.Path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return nil, 0, errors.New("not an address")
	}
	req.Header.Set("Accept-Encoding", "identity") // bytes as they are stored, and a length
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	if d.Channel {
		d.known.authorizeChannel(req)
	} else {
		d.known.Authorize(req)
	}
	res, err := client.Do(req)
	if inside, ok := errors.AsType[*egress.Error](err); ok {
		return nil, 0, &driver.Failure{
			Cause: driver.PolicyDenied, Package: d.Package, Err: inside, Message: fmt.Sprintf("%s is not downloaded: %s", d.Name, inside),
		}
	}
	if err != nil {
		return nil, 0, &again{err: err}
	}
	from, err := d.judge(res, have)
	if err != nil {
		_ = res.Body.Close()
		return nil, 0, err
	}
	return res.Body, from, nil
}

func (d *download) openFile(path string) (io.ReadCloser, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, &driver.Failure{Cause: driver.ChannelUnreachable, Package: d.Package, Message: d.Name + " cannot be read: " + err.Error(), Err: err}
	}
	return file, 0, nil
}

// judge says from where the answer's body begins, or what is wrong with it.
func (d *download) judge(res *http.Response, have int64) (int64, error) {
	where := hostOf(d.URL)
	switch code := res.StatusCode; {
	case code == http.StatusOK:
		return 0, nil
	case code == http.StatusPartialContent && have > 0 && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		return have, nil
	case code == http.StatusRequestedRangeNotSatisfiable || code == http.StatusPartialContent:
		_ = os.Truncate(d.part, 0)
		return 0, &again{err: errors.New("the server does not go on where it ended")}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return 0, &driver.Failure{Cause: driver.AuthFailed, Package: d.Package, Message: fmt.Sprintf("%s refuses %s (%d); check the credentials for it", where, d.Name, code)}
	case code == http.StatusNotFound || code == http.StatusGone:
		return 0, &driver.Failure{Cause: driver.PackageMissing, Package: d.Package, Message: fmt.Sprintf("%s has no %s any more (%d); solve again", where, d.Name, code)}
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return 0, &again{err: fmt.Errorf("it answers %s", res.Status), after: retryAfter(res)}
	default:
		return 0, &driver.Failure{Cause: driver.ChannelUnreachable, Package: d.Package, Message: fmt.Sprintf("%s answers %s for %s", where, res.Status, d.Name)}
	}
}

// retryAfter is how long the server asks to be left alone, in the form of seconds.
func retryAfter(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// hostOf is the host of an address for people.
func hostOf(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "its server"
	case u.Scheme == "file":
		return "disk"
	}
	return u.Host
}
