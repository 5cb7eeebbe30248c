package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// posted is the body of POST /api/events.
type posted struct {
	Schema    *string         `json:"schema_id"`
	Version   json.RawMessage `json:"version"`
	Data      map[string]any  `json:"data"`
	Timestamp *string         `json:"timestamp"`
}

// field says what one property of a schema must be.
type field struct {
	required bool
	number   bool     // otherwise a string
	oneOf    []string // empty: any
}

// schemas are those of jupyter_server's event_schemas, all of version 1.
var schemas = map[string]map[string]field{
	ContentsService: {
		"action":      {required: true, oneOf: []string{"get", "create", "save", "upload", "rename", "copy", "delete"}},
		"path":        {required: true},
		"source_path": {},
	},
	KernelActions: {
		"action":      {required: true, oneOf: []string{"start", "interrupt", "shutdown", "restart"}},
		"msg":         {required: true},
		"kernel_id":   {},
		"kernel_name": {},
		"status":      {oneOf: []string{"error", "success"}},
		"status_code": {number: true},
	},
	GatewayClient: {
		"status":      {required: true, oneOf: []string{"error", "success"}},
		"msg":         {required: true},
		"status_code": {number: true},
		"gateway_url": {},
	},
}

// event checks what was posted and makes an Event of it; it is a problem.Invalid if it is none that we know.
func (p posted) event() (Event, error) {
	for name, missing := range map[string]bool{"schema_id": p.Schema == nil, "version": p.Version == nil, "data": p.Data == nil} {
		if missing {
			return Event{}, problem.New(problem.Invalid, "Missing `%s` in the JSON request body.", name)
		}
	}
	fields, ok := schemas[*p.Schema]
	if !ok {
		return Event{}, problem.New(problem.Invalid, "The requested schema, %s, was not found in the schema registry.", *p.Schema)
	}
	if v := string(p.Version); v != `"1"` && v != "1" {
		return Event{}, problem.New(problem.Invalid, "Unregistered version: %s for `%s`", v, *p.Schema)
	}
	if err := p.checkTime(); err != nil {
		return Event{}, err
	}
	for name, f := range fields {
		if err := f.check(p.Data[name]); err != nil {
			return Event{}, problem.New(problem.Invalid, "the event's %s %w", name, err)
		}
	}
	if *p.Schema == KernelActions && p.Data["kernel_id"] == nil && (p.Data["action"] != "start" || p.Data["status"] != "error") {
		return Event{}, problem.New(problem.Invalid, "the event's kernel_id is missing")
	}
	return Event{*p.Schema, p.Data}, nil
}

func (f field) check(v any) error {
	text, isText := v.(string)
	_, isNumber := v.(float64)
	switch {
	case v == nil && f.required:
		return fmt.Errorf("is missing")
	case v == nil:
		return nil
	case f.number && !isNumber:
		return fmt.Errorf("must be a number")
	case !f.number && !isText:
		return fmt.Errorf("must be a string")
	case len(f.oneOf) > 0 && !slices.Contains(f.oneOf, text):
		return fmt.Errorf("must be one of %q", f.oneOf)
	}
	return nil
}

// checkTime accepts Jupyter's own form, an offset and then Z, and plain RFC 3339.
func (p posted) checkTime() error {
	if p.Timestamp == nil {
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05-07:00Z", "2006-01-02T15:04:05-0700Z", time.RFC3339} {
		if _, err := time.Parse(layout, *p.Timestamp); err == nil {
			return nil
		}
	}
	return problem.New(problem.Invalid, "Failed to parse timestamp from JSON request body, an ISO format datetime string with UTC offset is expected, for example, 2022-05-26T13:50:00+05:00Z")
}
