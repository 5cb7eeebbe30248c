package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// download is one file on its way to the path part.
type download struct {
	File
	part  string
	known Credentials
	told  func(have int64)
	stall time.Duration
	moved time.Time // when bytes came last
}

// try brings what is missing. resumed says that it went on where an earlier try had ended.
func (d *download) try(ctx context.Context) (resumed bool, err error) {
	part, err := os.OpenFile(d.part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, NoRoom("write "+d.Name, err)
	}
	defer part.Close()
	sum := sha256.New()
	have, err := io.Copy(sum, part)
	if err != nil {
		return false, fmt.Errorf("read what is there of %s: %w", d.Name, err)
	}
	if d.Size > 0 && have > d.Size {
		have, err = 0, rewind(part, sum)
		if err != nil {
			return false, err
		}
	}
	resumed = have > 0
	if d.Size == 0 || have < d.Size {
		if err := d.receive(ctx, part, sum, have); err != nil {
			return resumed, err
		}
	}
	if err := d.verify(sum); err != nil {
		_ = part.Truncate(0)
		return resumed, err
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
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.SHA256 {
		return &driver.Failure{
			Cause: driver.HashMismatch, Package: d.Package,
			Message: fmt.Sprintf("%s from %s is not the locked file: its SHA-256 begins with %s, the locked one with %s", d.Name, hostOf(d.URL), got[:12], d.SHA256[:12]),
		}
	}
	return nil
}

var errStalled = errors.New("nothing came any more")

// receive appends to part from the byte have on, from the beginning where the server does not know how to go on.
func (d *download) receive(ctx context.Context, part *os.File, sum hash.Hash, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := min(window, d.stall/2)
	watch := time.AfterFunc(quiet, func() { cancel(errStalled) })
	defer watch.Stop()
	body, from, err := d.open(ctx, have)
	if err != nil {
		return stalled(ctx, err)
	}
	defer body.Close()
	if from == 0 && have > 0 {
		if err := rewind(part, sum); err != nil {
			return NoRoom("write "+d.Name, err)
		}
	}
	at := from
	buf := make([]byte, 128<<10)
	for {
		n, err := body.Read(buf)
		watch.Reset(quiet)
		if n > 0 {
			d.moved = time.Now()
		}
		if at+int64(n) > d.most() {
			_ = part.Truncate(0)
			return &driver.Failure{
				Cause: driver.HashMismatch, Package: d.Package,
				Message: fmt.Sprintf("%s from %s has more than the locked %d bytes", d.Name, hostOf(d.URL), d.most()),
			}
		}
		if _, err := part.Write(buf[:n]); err != nil {
			return NoRoom("write "+d.Name, err)
		}
		sum.Write(buf[:n])
		at += int64(n)
		d.told(at)
		switch {
		case errors.Is(err, io.EOF) && d.Size > 0 && at < d.Size:
			return &again{err: fmt.Errorf("it ended after %d of %d bytes", at, d.Size)}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return stalled(ctx, &again{err: fmt.Errorf("it broke off after %d bytes: %w", at, err)})
		}
	}
}

// stalled says of an error that comes after nothing else came that this is why.
func stalled(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &again{err: errStalled, stalled: true}
	}
	return err
}

// maxUnknown is the most that is taken of a file whose size is not locked, in bytes.
const maxUnknown = 8 << 30

func (d *download) most() int64 {
	if d.Size > 0 {
		return d.Size
	}
	return maxUnknown
}
