package uv

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
)

// What uv writes when it gives up, as of 0.13. The tests run the real program, so a new one with other words shows there.
var (
	notFound   = regexp.MustCompile(`(?:Because |and |\n\s*)(?:there are no versions of )?([A-Za-z0-9][A-Za-z0-9._-]*) (?:was not found in the (?:package registry|cache|provided package locations))`)
	noWheels   = regexp.MustCompile(`([A-Za-z0-9][A-Za-z0-9._-]*)((?:==[^ ]+|[<>=!~][^ ]*)?) (?:have|has) no (?:usable wheels|wheels with a matching|source distribution)`)
	fetching   = regexp.MustCompile(`Failed to (?:fetch|download|query)[^\n]*?(https?://[^\s` + "`" + `)]+|file://[^\s` + "`" + `)]+)`)
	factBreak  = regexp.MustCompile(` and (you require |\S+ depends? on |\S+ was not found|only |all versions of |all of:|the requested Python)`)
	conclusion = regexp.MustCompile(`,?\s+we can conclude that\s+`)
	becauseOf  = regexp.MustCompile(`^(?:And because|Because|And|and|because) `)
	tagHint    = regexp.MustCompile(`(?m)^hint: (You require [^\n]*(?:wheels|tags)[^\n]*)$`)
	errorLabel = regexp.MustCompile(`(?m)^\s*(?:error|cause|×|├─▶|╰─▶)[:\s]\s*`)
)

// has reports whether the text has one of the words.
func has(text string, words ...string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// failure turns what run says into a *driver.Failure. Python is the version that was solved for, for the words.
func (t *Tool) failure(err error, python string) error {
	bad, ok := errors.AsType[*failed](err)
	if !ok {
		return err
	}
	words := t.redact(bad.words)
	f := classify(words, python)
	if signaled(bad.err) || f.Cause == driver.ToolFailed && has(words, "memory allocation", "Cannot allocate memory", "out of memory", "os error 12", "failed to spawn thread", "spawn worker thread") {
		f = driver.Failf(driver.OutOfMemory, "uv was stopped for want of memory; ask for less, or raise the memory limit")
	}
	if f.Message == "" {
		f.Message = "uv said nothing and ended with " + bad.err.Error()
	}
	f.Err = bad.err
	return f
}

// signaled reports whether the program was ended from outside or aborted, as happens when memory runs out.
func signaled(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && (status.Signal() == syscall.SIGKILL || status.Signal() == syscall.SIGABRT)
}

// classify finds the cause in uv's words. Its order matters: a refused login is also told as a package that was not found.
func classify(words, python string) *driver.Failure {
	lower := strings.ToLower(words)
	switch {
	case has(lower, "no space left", "disk quota exceeded", "os error 28", "os error 122"):
		return driver.Failf(driver.DiskFull, "the disk is full; free some space and try again")
	case has(words, "authentication credentials", "401 Unauthorized", "403 Forbidden"):
		return driver.Failf(driver.AuthFailed, "the package index %srefuses us; check the credentials for it", placeIn(words))
	case has(words, "Hash mismatch", "hash mismatch"):
		return &driver.Failure{Cause: driver.HashMismatch, Message: "uv found other bytes than the locked ones: " + firstWords(words)}
	case has(words, "Couldn't parse", "Failed to parse", "Invalid requirement", "unsupported requirement"):
		return &driver.Failure{Cause: driver.SpecInvalid, Message: firstWords(words)}
	case has(words, "network was disabled", "network is disabled", "was not found in the cache"):
		return &driver.Failure{Cause: driver.ChannelUnreachable, Message: "offline, and the package index's pages are not in the cache", Tree: tree(words), Package: named(notFound, words)}
	case has(words, "No solution found"):
		return unsolved(words, python)
	case has(words, "Failed to fetch", "error sending request", "Request failed", "timed out", "Failed to download", "connection"):
		return &driver.Failure{Cause: driver.ChannelUnreachable, Message: "the package index " + placeIn(words) + "does not answer as it should: " + lastCause(words)}
	}
	return &driver.Failure{Cause: driver.ToolFailed, Message: firstWords(words)}
}

func unsolved(words, python string) *driver.Failure {
	if name := named(notFound, words); name != "" {
		return &driver.Failure{Cause: driver.PackageMissing, Message: "the package index has no " + name, Package: name, Tree: tree(words)}
	}
	if m := noWheels.FindStringSubmatch(words); m != nil {
		return &driver.Failure{
			Cause: driver.Unsatisfiable, Package: m[1], Tree: tree(words),
			Message: m[1] + m[2] + " has no wheel for Python " + python + " on linux-64; source builds are off",
		}
	}
	return &driver.Failure{Cause: driver.Unsatisfiable, Message: "the requirements cannot be met together", Tree: tree(words)}
}

func named(pattern *regexp.Regexp, words string) string {
	if m := pattern.FindStringSubmatch(words); m != nil {
		return m[1]
	}
	return ""
}

// placeIn is the address that uv speaks of, with a space behind, or nothing.
func placeIn(words string) string {
	for _, pattern := range []*regexp.Regexp{fetching, regexp.MustCompile(`\((https?://[^\s)]+)\)`)} {
		if address := named(pattern, words); address != "" {
			return strings.TrimRight(address, ".,") + " "
		}
	}
	return ""
}

// firstWords are uv's words without its labels, at most a few lines.
func firstWords(words string) string {
	text := strings.TrimSpace(errorLabel.ReplaceAllString(withoutNotes(words), ""))
	lines := strings.Split(text, "\n")
	return strings.Join(lines[:min(len(lines), 6)], "\n")
}

// lastCause is the innermost cause that uv tells.
func lastCause(words string) string {
	lines := strings.Split(strings.TrimSpace(withoutNotes(words)), "\n")
	return strings.TrimSpace(errorLabel.ReplaceAllString(lines[len(lines)-1], ""))
}

// withoutNotes drops what uv says by the way.
func withoutNotes(words string) string {
	var kept []string
	for line := range strings.Lines(words) {
		if !has(line, "warning:", "hint:", "Using Python", "Using CPython", "Resolved ", "Prepared ") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(kept, "\n")
}

// tree lays uv's argument out: one fact a line, each conclusion below what it follows from.
func tree(words string) string {
	text := errorLabel.ReplaceAllString(withoutNotes(words), "")
	text = strings.TrimSpace(strings.ReplaceAll(text, "No solution found when resolving dependencies", ""))
	text = strings.TrimPrefix(strings.TrimPrefix(text, ":"), "\n")
	var facts strings.Builder
	for line := range strings.Lines(conclusion.ReplaceAllString(text, "\nso ")) {
		if !strings.HasPrefix(line, "so ") {
			line = factBreak.ReplaceAllString(line, "\n$1")
		}
		facts.WriteString(line)
	}
	var lines []string
	listing := false // below a line like "only the following versions are available:"
	for line := range strings.Lines(facts.String()) {
		trimmed := strings.TrimSpace(line)
		fact := becauseOf.ReplaceAllString(trimmed, "")
		listing = listing && fact == trimmed && !strings.Contains(trimmed, " ")
		switch {
		case trimmed == "":
		case strings.HasPrefix(trimmed, "so "):
			lines = append(lines, "└─ "+strings.TrimSuffix(trimmed, "."))
		case listing:
			lines = append(lines, "    "+trimmed)
		default:
			lines = append(lines, fact)
			listing = strings.HasSuffix(fact, ":")
		}
	}
	if hint := named(tagHint, words); hint != "" {
		lines = append(lines, strings.ReplaceAll(hint, "`", ""))
	}
	return strings.Join(lines, "\n")
}

// redact takes credentials out of uv's words.
func (t *Tool) redact(words string) string {
	words = fetch.Redact(words)
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return words
	}
	for _, secret := range known.Secrets() {
		words = strings.ReplaceAll(words, secret, "***")
	}
	return words
}
