package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"syscall"

	"github.com/hopyard/hopyard/envs/driver"
)

var userinfo = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@]*@`)

// Redact takes users and passwords out of the addresses in a text.
func Redact(text string) string { return userinfo.ReplaceAllString(text, "$1") }

// Plain is the text of an error of a request, without the address that net/http puts before it, and without credentials.
func Plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return Redact(err.Error())
}

// NoRoom wraps an error of writing so that a full disk is known as one.
func NoRoom(what string, err error) error {
	if IsFull(err) {
		return &driver.Failure{Cause: driver.DiskFull, Message: "the disk is full; free some space and try again", Err: err}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// IsFull says whether an error means that the disk has no room, or that this user may have no more of it.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Ended is the failure that the end of ctx stands for, with the reason still in the chain.
func Ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return &driver.Failure{Cause: driver.TimedOut, Message: "the time limit is over", Err: cause}
	}
	return &driver.Failure{Cause: driver.Canceled, Message: "canceled", Err: cause}
}
