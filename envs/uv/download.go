package uv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/egress"
)

const (
	tries = 5
	// stalled is how long nothing may come before a download counts as cut.
	stalled = 30 * time.Second
	// longestWait bounds the pause before another try, also one that the server asks for.
	longestWait = 10 * time.Second
)

// client is shared by all tools, so that connections are. Its transport knows the proxies of the environment, and goes inside of the
// network around only where a context allows it: see inside.
var client = &http.Client{
	Transport: func() http.RoundTripper {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = metadataAtOnce
		transport.ResponseHeaderTimeout = stalled
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

// download is one wheel on its way into the file part.
type download struct {
	wheel lock.Wheel
	part  string
	known credentials
	count *counter
	// channel says that it is no wheel but a package of a conda channel.
	channel bool
}

// again is an error after which another try may help.
type again struct {
	err   error
	after time.Duration // as the server asks; 0 where it does not
}

func (a *again) Error() string { return a.err.Error() }
func (a *again) Unwrap() error { return a.err }

// run brings the whole wheel, in several tries if need be. The file part is there and right afterwards, or kept for the next
// time, or removed where its content is wrong.
func (d *download) run(ctx context.Context) error {
	var last error
	for n := range tries {
		if n > 0 {
			if err := pause(ctx, n, last); err != nil {
				return err
			}
		}
		resumed, err := d.try(ctx)
		if err == nil {
			return nil
		}
		last = err
		retry, ok := errors.AsType[*again](err)
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case ok:
		case resumed && isMismatch(err):
			// What was there before may have been of another file: once more, from the beginning.
		default:
			return err
		}
		if ok {
			last = retry
		}
	}
	if isMismatch(last) {
		return last
	}
	return &driver.Failure{
		Cause: driver.ChannelUnreachable, Package: d.wheel.Name, Err: last,
		Message: fmt.Sprintf("%s could not be downloaded from %s in %d tries: %s", d.wheel.Filename, hostOf(d.wheel.URL), tries, plain(last)),
	}
}

func isMismatch(err error) bool {
	f, ok := errors.AsType[*driver.Failure](err)
	return ok && f.Cause == driver.HashMismatch
}

// pause waits longer before each try, and not in step with others.
func pause(ctx context.Context, n int, last error) error {
	wait := 200 * time.Millisecond << n
	wait += rand.N(wait / 2)
	if retry, ok := errors.AsType[*again](last); ok && retry.after > 0 {
		wait = retry.after
	}
	timer := time.NewTimer(min(wait, longestWait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-timer.C:
		return nil
	}
}

// try brings what is missing. resumed says that it went on where an earlier try had ended.
func (d *download) try(ctx context.Context) (resumed bool, err error) {
	part, err := os.OpenFile(d.part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, noRoom("write "+d.wheel.Filename, err)
	}
	defer part.Close()
	sum := sha256.New()
	have, err := io.Copy(sum, part)
	if err != nil {
		return false, fmt.Errorf("read what is there of %s: %w", d.wheel.Filename, err)
	}
	if d.wheel.Size > 0 && have > d.wheel.Size {
		have, err = 0, rewind(part, sum)
		if err != nil {
			return false, err
		}
	}
	resumed = have > 0
	if d.wheel.Size == 0 || have < d.wheel.Size {
		if err := d.receive(ctx, part, sum, have); err != nil {
			return resumed, err
		}
	}
	if err := d.verify(sum); err != nil {
		_ = part.Truncate(0)
		return resumed, err
	}
	if err := part.Sync(); err != nil {
		return resumed, noRoom("bring "+d.wheel.Filename+" to disk", err)
	}
	return resumed, nil
}

func rewind(part *os.File, sum hash.Hash) error {
	sum.Reset()
	if err := part.Truncate(0); err != nil {
		return err
	}
	_, err := part.Seek(0, io.SeekStart)
	return err
}

func (d *download) verify(sum hash.Hash) error {
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.wheel.SHA256 {
		return &driver.Failure{
			Cause: driver.HashMismatch, Package: d.wheel.Name,
			Message: fmt.Sprintf("%s from %s is not the locked file: its SHA-256 begins with %s, the locked one with %s", d.wheel.Filename, hostOf(d.wheel.URL), got[:12], d.wheel.SHA256[:12]),
		}
	}
	return nil
}

// receive appends to part from the byte have on, from the beginning where the server does not know how to go on.
func (d *download) receive(ctx context.Context, part *os.File, sum hash.Hash, have int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, from, err := d.open(ctx, have)
	if err != nil {
		return err
	}
	defer body.Close()
	if from == 0 && have > 0 {
		if err := rewind(part, sum); err != nil {
			return noRoom("write "+d.wheel.Filename, err)
		}
	}
	watch := time.AfterFunc(stalled, cancel)
	defer watch.Stop()
	at := from
	buf := make([]byte, 128<<10)
	for {
		n, err := body.Read(buf)
		watch.Reset(stalled)
		if at+int64(n) > d.most() {
			_ = part.Truncate(0)
			return &driver.Failure{
				Cause: driver.HashMismatch, Package: d.wheel.Name,
				Message: fmt.Sprintf("%s from %s has more than the locked %d bytes", d.wheel.Filename, hostOf(d.wheel.URL), d.most()),
			}
		}
		if _, err := part.Write(buf[:n]); err != nil {
			return noRoom("write "+d.wheel.Filename, err)
		}
		sum.Write(buf[:n])
		at += int64(n)
		d.count.bytes(d.wheel, at)
		switch {
		case errors.Is(err, io.EOF) && d.wheel.Size > 0 && at < d.wheel.Size:
			return &again{err: fmt.Errorf("it ended after %d of %d bytes", at, d.wheel.Size)}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &again{err: fmt.Errorf("it broke off after %d bytes: %w", at, err)}
		}
	}
}

// maxUnknown is the most that is taken of a wheel whose size is not locked, in bytes.
const maxUnknown = 8 << 30

func (d *download) most() int64 {
	if d.wheel.Size > 0 {
		return d.wheel.Size
	}
	return maxUnknown
}

// open gives the content from a byte on, which is have or 0.
func (d *download) open(ctx context.Context, have int64) (io.ReadCloser, int64, error) {
	u, err := url.Parse(d.wheel.URL)
	if err != nil {
		return nil, 0, errors.New("not an address")
	}
	if u.Scheme == "file" {
		return d.openFile(u.Path)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.wheel.URL, nil)
	if err != nil {
		return nil, 0, errors.New("not an address")
	}
	req.Header.Set("Accept-Encoding", "identity") // bytes as they are stored, and a length
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	if d.channel {
		d.known.authorizeChannel(req)
	} else {
		d.known.authorize(req)
	}
	res, err := client.Do(req)
	if inside, ok := errors.AsType[*egress.Error](err); ok {
		return nil, 0, &driver.Failure{
			Cause: driver.PolicyDenied, Package: d.wheel.Name, Rule: "wheel_hosts", Err: inside,
			Message: fmt.Sprintf("%s is not downloaded: %s; ask who runs the site to add that host to wheel_hosts", d.wheel.Filename, inside),
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
		return nil, 0, &driver.Failure{Cause: driver.ChannelUnreachable, Package: d.wheel.Name, Message: d.wheel.Filename + " cannot be read: " + err.Error(), Err: err}
	}
	return file, 0, nil
}

// judge says from where the answer's body begins, or what is wrong with it.
func (d *download) judge(res *http.Response, have int64) (int64, error) {
	where := hostOf(d.wheel.URL)
	switch code := res.StatusCode; {
	case code == http.StatusOK:
		return 0, nil
	case code == http.StatusPartialContent && have > 0 && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		return have, nil
	case code == http.StatusRequestedRangeNotSatisfiable || code == http.StatusPartialContent:
		_ = os.Truncate(d.part, 0)
		return 0, &again{err: errors.New("the server does not go on where it ended")}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return 0, &driver.Failure{Cause: driver.AuthFailed, Package: d.wheel.Name, Message: fmt.Sprintf("%s refuses %s (%d); check the credentials for it", where, d.wheel.Filename, code)}
	case code == http.StatusNotFound || code == http.StatusGone:
		return 0, &driver.Failure{Cause: driver.PackageMissing, Package: d.wheel.Name, Message: fmt.Sprintf("%s has no %s any more (%d); solve again", where, d.wheel.Filename, code)}
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return 0, &again{err: fmt.Errorf("it answers %s", res.Status), after: retryAfter(res)}
	default:
		return 0, &driver.Failure{Cause: driver.ChannelUnreachable, Package: d.wheel.Name, Message: fmt.Sprintf("%s answers %s for %s", where, res.Status, d.wheel.Filename)}
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

func isFile(address string) bool { return strings.HasPrefix(address, "file:") }

// plain is an error's text without the address that net/http puts before it, and without credentials.
func plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return userinfo.ReplaceAllString(err.Error(), "$1")
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
