package build

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
)

// graceForCancel is how long a failure waits for the word that the build was canceled: a signal goes to the driver's helper as well,
// and the helper's death may be known first.
const graceForCancel = 100 * time.Millisecond

// because prefers why a context was ended to what came of it.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// explain finds the cause of an error.
func (b *builder) explain(ctx context.Context, err error) *driver.Failure {
	f := driver.FailureOf(err)
	if f.Cause == driver.ToolFailed || f.Cause == driver.WorkerLost {
		select {
		case <-ctx.Done():
		case <-time.After(graceForCancel):
		}
	}
	if ctx.Err() != nil && f.Cause != driver.TimedOut {
		return driver.Failf(driver.Canceled, "the build was canceled")
	}
	if f.Cause != driver.ToolFailed {
		return f
	}
	switch text := strings.ToLower(f.Message); {
	case errors.Is(err, syscall.ENOSPC), strings.Contains(text, "no space left on device"):
		return driver.Failf(driver.DiskFull, "the disk of the environments is full: ask the operator to make room, then build again (%w)", err)
	case errors.Is(err, syscall.EDQUOT), strings.Contains(text, "disk quota exceeded"):
		return driver.Failf(driver.QuotaExceeded, "the disk quota of the environments is used up: ask the operator to make room (%w)", err)
	case errors.Is(err, syscall.ENOMEM), strings.Contains(text, "memoryerror"), strings.Contains(text, "cannot allocate memory"):
		return driver.Failf(driver.OutOfMemory, "the build ran out of the memory that it may use: ask the operator for a higher limit (%w)", err)
	}
	return f
}
