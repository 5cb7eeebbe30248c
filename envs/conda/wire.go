package conda

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/hopyard/hopyard/envs/driver"
)

// maxLine is the longest message in bytes that is taken from a helper: the records of tens of thousands of packages.
const maxLine = 64 << 20

// request is one line to the helper. See helper/__init__.py.
type request struct {
	ID       int      `json:"id"`
	Op       string   `json:"op"`
	Of       int      `json:"of,omitempty"` // cancel
	Channels []string `json:"channels,omitempty"`
	// Solve.
	Specs      []string `json:"specs,omitempty"`
	MinimumAge int64    `json:"minimum_age,omitempty"` // seconds
	Generation int      `json:"generation,omitempty"`
	Locked     []int    `json:"locked,omitempty"`
	// Artifacts are those to stay with that have no number yet, and those to complete.
	Artifacts []reference `json:"artifacts,omitempty"`
	// Search.
	Text  string `json:"text,omitempty"`
	Limit int    `json:"limit,omitempty"`
	// Unpack and install: into the cache Packages, and from there into the Prefix.
	Records  []json.RawMessage `json:"records,omitempty"`
	Prefix   string            `json:"prefix,omitempty"`
	Packages string            `json:"packages,omitempty"`
	Archive  string            `json:"archive,omitempty"`
	Draft    string            `json:"draft,omitempty"` // folder to unpack it in first

	// prefer completes a request with what the helper that gets it knows by number; nil for most.
	prefer func(h *helper, r *request)
}

// reference names an artifact whose record only its channel can tell.
type reference struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	SHA256 string `json:"sha256"`
}

// settings is the first line to a helper.
type settings struct {
	Cache   string  `json:"cache"`
	Alias   string  `json:"alias,omitempty"`
	Offline bool    `json:"offline,omitempty"`
	Timeout float64 `json:"timeout"` // seconds
	Memory  int64   `json:"memory"`  // bytes
}

// message is one line from the helper: an event, or what ends a request: a result or a failure.
type message struct {
	ID      int             `json:"id"`
	Event   string          `json:"event"`
	Result  json.RawMessage `json:"result"`
	Failure *refusal        `json:"failure"`
	// Of an event.
	Done    int    `json:"done"`
	Total   int    `json:"total"`
	Package string `json:"package"`
	Text    string `json:"text"`
}

// refusal is a failure as the helper tells it.
type refusal struct {
	Cause   driver.Cause `json:"cause"`
	Message string       `json:"message"`
	Tree    string       `json:"tree"`
	Package string       `json:"package"`
	Near    []string     `json:"near"`
	Spec    *int         `json:"spec"` // index of the spec that it is about
}

// Words of the helper that nobody else gets to see: numbers of another generation, and a package that is not in the cache.
const (
	stale   driver.Cause = "stale"
	lacking driver.Cause = "lacking"
)

// parse reads one line of the helper.
func parse(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return m, fmt.Errorf("read the helper: %w", err)
	}
	if m.ID <= 0 {
		return m, errors.New("read the helper: a message without an id")
	}
	if m.Event == "" && m.Result == nil && m.Failure == nil {
		return m, fmt.Errorf("read the helper: message %d says nothing", m.ID)
	}
	if m.Failure != nil && (m.Failure.Cause == "" || m.Failure.Message == "") {
		return m, fmt.Errorf("read the helper: failure of %d has no cause or no words", m.ID)
	}
	return m, nil
}

// ends reports whether a message is the last one about its request.
func (m message) ends() bool { return m.Result != nil || m.Failure != nil }

func (m message) into(v any) error {
	if err := json.Unmarshal(m.Result, v); err != nil {
		return fmt.Errorf("read the helper's answer: %w", err)
	}
	return nil
}

func (r *refusal) failure() *driver.Failure {
	return &driver.Failure{Cause: r.Cause, Message: redact(r.Message), Tree: redact(r.Tree), Package: r.Package, Near: r.Near, Err: r}
}

// Error is the helper's sentence.
func (r *refusal) Error() string { return redact(r.Message) }

var (
	userinfo = regexp.MustCompile(`(://)[^/\s]*@`)
	token    = regexp.MustCompile(`/t/[^/\s]+`)
)

// redact takes credentials out of the addresses in a text. The helper does, too; this is for what a crash writes.
func redact(text string) string {
	return token.ReplaceAllString(userinfo.ReplaceAllString(text, "$1"), "/t/<TOKEN>")
}
