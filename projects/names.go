package projects

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hopyard/hopyard/internal/problem"
)

// Limits of what people may write, in bytes.
const (
	maxProjectName = 40
	maxUserName    = 32
	maxText        = 500 // descriptions, notes, display names
	minPassword    = 8
	maxPassword    = 256
)

// nameShape is what projects and users are called. Two underscores never meet: project__user is a project user.
var nameShape = regexp.MustCompile(`^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$`)

// CheckProjectName returns a problem.Invalid that says what is wrong with a project's name, or nil.
func CheckProjectName(n string) error { return checkName("a project", n, maxProjectName) }

// CheckUserName returns a problem.Invalid that says what is wrong with a user's name, or nil.
func CheckUserName(n string) error { return checkName("a user", n, maxUserName) }

func checkName(of, n string, limit int) error {
	if len(n) <= limit && nameShape.MatchString(n) {
		return nil
	}
	return problem.New(problem.Invalid,
		"the name of %s is 1 to %d lower-case letters and digits, begins with a letter, and may have single - or _ between them", of, limit)
}

// checkText bounds what a person wrote about something, and keeps control characters out.
func checkText(what, text string) error {
	if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return problem.New(problem.Invalid, "%s is at most %d bytes of plain text on one line", what, maxText)
	}
	return nil
}

func checkPassword(p string) error {
	if len(p) < minPassword || len(p) > maxPassword {
		return problem.New(problem.Invalid, "a password is %d to %d bytes long", minPassword, maxPassword)
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl <= 0 || ttl > MaxTokenTTL {
		return problem.New(problem.Invalid, "the time to live is more than nothing and at most %s", MaxTokenTTL)
	}
	return nil
}
