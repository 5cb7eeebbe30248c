package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/gateway/door"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
	"github.com/labstack/echo/v4"
)

// maxBody is the largest request body in bytes.
const maxBody = 1 << 20

// errorView is every error of the API.
type errorView struct {
	Error struct {
		Code    problem.Code `json:"code"`
		Message string       `json:"message"`
		ID      string       `json:"id"`
	} `json:"error"`
	// Failure says why an environment could not be solved or built, where that is what went wrong.
	Failure *driver.Failure `json:"failure,omitempty"`
	// Fields says what is wrong with which field of what was sent, where that is known.
	Fields map[string]string `json:"fields,omitempty"`
}

// Error writes err as {"error": {"code", "message", "id"}}, beside it a failure of an environment or mistakes in its rules. Of faults
// people see the id only.
func Error(c echo.Context, err error, id string) error {
	var v errorView
	v.Error.Code, v.Error.ID = problem.Internal, id
	v.Error.Message = "something went wrong here; the log has it under " + id
	status := http.StatusInternalServerError
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		v.Error.Code, v.Error.Message, status = p.Code, p.Message, door.StatusOf(p.Code)
		v.Fields = mistakes(p.Err)
	} else if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code < http.StatusInternalServerError {
		v.Error.Code, v.Error.Message, status = problem.Invalid, http.StatusText(he.Code), he.Code
	}
	if f, ok := errors.AsType[*driver.Failure](err); ok {
		v.Failure, v.Error.Code, v.Error.Message, status = f, verdictOf(f).code, f.Message, verdictOf(f).status
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(status, v)
}

// mistakes are those in the rules of an environment, by rule. Of several in one they are joined.
func mistakes(err error) map[string]string {
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	fields := map[string]string{}
	for _, err := range all {
		m, ok := errors.AsType[*policy.Mistake](err)
		if !ok {
			continue
		}
		if before := fields[m.Rule]; before != "" {
			fields[m.Rule] = before + "; " + m.Err.Error()
		} else {
			fields[m.Rule] = m.Err.Error()
		}
	}
	return fields
}

// listView is every list of the API.
type listView[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// readJSON decodes the request's body, which names nothing that v does not know. An empty body is an empty object.
func readJSON(c echo.Context, v any) error { return readLargeJSON(c, v, maxBody) }

// readLargeJSON is readJSON for bodies of another size in bytes.
func readLargeJSON(c echo.Context, v any, limit int64) error {
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, limit))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("more than one value")
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "the body is larger than %d MiB", limit>>20)
	default:
		return problem.New(problem.Invalid, "the body is not what is asked for here: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
}

// encoded is an answer's body and the tag of its content.
type encoded struct {
	body []byte
	tag  string
}

func encode(v any) (encoded, error) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		return encoded{}, err
	}
	sum := sha256.Sum256(body.Bytes())
	return encoded{body: body.Bytes(), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}

// answer writes v with a tag of its content, or only says that the client has it already.
func answer(c echo.Context, v any) error {
	e, err := encode(v)
	if err != nil {
		return err
	}
	return e.answer(c)
}

// answer writes the body, or only says that the client has it already.
func (e encoded) answer(c echo.Context) error {
	h := c.Response().Header()
	h.Set("ETag", e.tag)
	h.Set(echo.HeaderCacheControl, "private, no-cache")
	if has(c.Request().Header.Get("If-None-Match"), e.tag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, e.body)
}

// has reports whether an If-None-Match header names tag.
func has(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// created writes v as the new thing at path.
func created(c echo.Context, path string, v any) error {
	if path != "" {
		c.Response().Header().Set(echo.HeaderLocation, Base+path)
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusCreated, v)
}

// page reads ?limit= and ?after=.
func page(c echo.Context) (projects.Page, error) {
	p := projects.Page{Limit: 100, After: c.QueryParam("after")}
	if text := c.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return p, problem.New(problem.Invalid, "limit is a number from 1 to 1000")
		}
		p.Limit = n
	}
	return p, nil
}

// cut takes the page out of a list that is at hand. The cursor is the key of its last item; one that is not there any more
// begins again, which shows an item twice rather than never.
func cut[T any](items []T, p projects.Page, key func(T) string) listView[T] {
	for i, item := range items {
		if p.After != "" && key(item) == p.After {
			items = items[i+1:]
			break
		}
	}
	v := listView[T]{Items: items}
	if len(items) > p.Limit {
		v.Items, v.Next = items[:p.Limit], key(items[p.Limit-1])
	}
	if v.Items == nil {
		v.Items = []T{}
	}
	return v
}

// answerList writes one page of a list.
func answerList[T any](c echo.Context, items []T, next string) error {
	if items == nil {
		items = []T{}
	}
	return answer(c, listView[T]{Items: items, Next: next})
}
