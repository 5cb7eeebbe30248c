package driver

import (
	"errors"
	"fmt"
)

// Cause says why something about an environment did not work. The set is closed.
type Cause string

// The causes.
const (
	SpecInvalid        Cause = "spec_invalid"
	PolicyDenied       Cause = "policy_denied"
	ChannelUnreachable Cause = "channel_unreachable"
	AuthFailed         Cause = "auth_failed"
	PackageMissing     Cause = "package_missing"
	Unsatisfiable      Cause = "unsatisfiable"
	HashMismatch       Cause = "hash_mismatch"
	PackageBroken      Cause = "package_broken" // leaves its prefix, clobbers another, cannot be unpacked
	DiskFull           Cause = "disk_full"
	QuotaExceeded      Cause = "quota_exceeded"
	OutOfMemory        Cause = "out_of_memory"
	TimedOut           Cause = "timed_out"
	ScriptFailed       Cause = "script_failed"
	SmokeFailed        Cause = "smoke_failed"
	ToolFailed         Cause = "tool_failed"
	WorkerLost         Cause = "worker_lost"
	Canceled           Cause = "canceled"
)

// Failure is why a solve or a build did not work, for people and for programs. It is immutable.
type Failure struct {
	Cause Cause `json:"cause"`
	// Message is a sentence that says what to do.
	Message string `json:"message"`
	// Tree explains a conflict, indented lines; empty otherwise.
	Tree string `json:"tree,omitempty"`
	// Package is the one that it is about, and Near are names that it may be a mistake for.
	Package string   `json:"package,omitempty"`
	Near    []string `json:"near,omitempty"`
	// Rule names the rule of the policy that refused.
	Rule string `json:"rule,omitempty"`
	// Line and Column are the place in environment.yml, from 1; 0 where there is none.
	Line   int   `json:"line,omitempty"`
	Column int   `json:"column,omitempty"`
	Err    error `json:"-"`
}

// Failf makes a Failure from a cause and a formatted sentence; %w works.
func Failf(cause Cause, format string, args ...any) *Failure {
	err := fmt.Errorf(format, args...)
	return &Failure{Cause: cause, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Error is the sentence.
func (f *Failure) Error() string { return f.Message }

// Unwrap gives the cause below.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf gives the first Failure in err's chain; where there is none, a ToolFailed with err's words.
func FailureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Cause: ToolFailed, Message: err.Error(), Err: err}
}
