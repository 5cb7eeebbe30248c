// Package apiclient talks with the REST API of a gateway: requests with a token, errors as they were meant for people, and event
// streams that go on where they broke off.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// base is the path below which the API lives.
const base = "/api/v1"

// answerWithin is how long a gateway may take to begin its answer: a dry run that solves may take minutes.
const answerWithin = 15 * time.Minute

// maxAnswer bounds what is read into memory, in bytes.
const maxAnswer = 64 << 20

// Client asks one gateway as one user. It is safe for concurrent use.
type Client struct {
	url   *url.URL
	token string
	http  *http.Client
}

// New makes a client of the gateway at address, such as http://127.0.0.1:8890.
func New(address, token string) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the address of a gateway, such as http://127.0.0.1:8890", address)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerWithin
	// A redirect could lead the token elsewhere, and the API has none.
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{url: u, token: token, http: &http.Client{Transport: transport, CheckRedirect: follow}}, nil
}

// Error is a refusal or a fault that the API has told of.
type Error struct {
	Status  int
	Code    string
	Message string // a sentence for people
	ID      string // finds it in the gateway's log
	// Failure is what the API has to say besides, where it knows the cause; nil otherwise.
	Failure json.RawMessage
}

// Error is the sentence, with the id where people need the log.
func (e *Error) Error() string {
	if e.Status == http.StatusInternalServerError && !strings.Contains(e.Message, e.ID) {
		return fmt.Sprintf("%s (request %s)", e.Message, e.ID)
	}
	return e.Message
}

// UnreachableError says that no answer came.
type UnreachableError struct {
	URL string
	Err error
}

// Error names the address and the reason.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the gateway at %s does not answer: %v", e.URL, e.Err)
}

// Unwrap gives the reason.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Request is one request. Path is below the API's base; its parts are escaped already (see Path).
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   io.Reader
}

// Path joins parts to a path, each escaped.
func Path(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("/" + url.PathEscape(part))
	}
	return b.String()
}

// Send makes a request. The answer, whose body the caller closes, is one of success: every other is an *Error, and where none came
// an *UnreachableError.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	address := c.url.String() + base + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, r.Body)
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &UnreachableError{URL: c.url.Redacted(), Err: reason(err)}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

// reason takes the method and the address off an error, which the sentence around it has.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refusal reads the one shape of errors that the API has.
func refusal(resp *http.Response) error {
	var v struct {
		Error struct {
			Code    string          `json:"code"`
			Message string          `json:"message"`
			ID      string          `json:"id"`
			Failure json.RawMessage `json:"failure"`
		} `json:"error"`
		Failure json.RawMessage `json:"failure"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if json.Unmarshal(text, &v) != nil || v.Error.Message == "" {
		return &Error{Status: resp.StatusCode, Message: fmt.Sprintf("the answer is %s; is this the address of a gateway?", resp.Status)}
	}
	e := v.Error
	return &Error{Status: resp.StatusCode, Code: e.Code, Message: e.Message, ID: e.ID, Failure: v.Failure}
}

// JSON makes a request with in as its body, unless that is nil, and gives the answer, which is empty for "no content".
func (c *Client) JSON(ctx context.Context, method, path string, query url.Values, in any) (json.RawMessage, error) {
	r := Request{Method: method, Path: path, Query: query}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		r.Body, r.Header = bytes.NewReader(body), http.Header{"Content-Type": {"application/json"}}
	}
	resp, err := c.Send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &UnreachableError{URL: c.url.Redacted(), Err: err}
	}
	return text, nil
}
