package projects

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Where things are kept. Names never contain a slash, so keys take apart as they were put together. memberof/ and
// usertokens/ are the same facts as members/ and tokens/ in the order of users, written in the same Apply.
const (
	siteKey       = "site"
	usersKeys     = "users/"        // user
	projectsKeys  = "projects/"     // project
	membersKeys   = "members/"      // project/user
	memberOfKeys  = "memberof/"     // user/project
	tokensKeys    = "tokens/"       // hash
	userTokenKeys = "usertokens/"   // user/id
	loginsKeys    = "logins/"       // hash
	linksKeys     = "links/"        // hash
	auditKeys     = "audit/"        // id
	projAuditKeys = "projectaudit/" // project/id
)

// watched are the prefixes whose changes may take a Grant back or concern a subscriber.
var watched = []string{usersKeys, projectsKeys, membersKeys, tokensKeys, userTokenKeys, loginsKeys}

// digest is the SHA-256 of a secret: all that is ever stored of it.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// id names a credential in lists and logs. It tells nothing about the secret.
func (d digest) id() string { return hex.EncodeToString(d[:8]) }

// newID returns a random name, for telling a thing from a later one of the same name.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// load reads the record at key. A missing one is storage.ErrNotFound.
func load[T any](ctx context.Context, store storage.Backend, key string) (T, storage.Revision, error) {
	var v T
	r, err := store.Get(ctx, key)
	if err != nil {
		return v, 0, err
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return v, 0, fmt.Errorf("decode record %q: %w", key, err)
	}
	return v, r.Rev, nil
}

// encode turns a record into its stored form. Records are plain structs of ours, so that it cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Page asks for part of a list: at most Limit items (0 or too many mean 1000) after the cursor After.
type Page struct {
	Limit int
	After string
}

// list decodes one page of the records below prefix. Its cursors are the rest of the key.
func list[T any](ctx context.Context, store storage.Backend, prefix string, p Page, reverse bool) (items []T, next string, err error) {
	q := storage.Query{Prefix: prefix, Limit: p.Limit, Reverse: reverse}
	if q.Limit <= 0 || q.Limit > storage.MaxPage {
		q.Limit = storage.MaxPage
	}
	if p.After != "" {
		q.After = prefix + p.After
	}
	if len(q.After) > storage.MaxKey {
		return nil, "", problem.New(problem.Invalid, "after is not a cursor of this list")
	}
	page, err := store.List(ctx, q)
	if err != nil {
		return nil, "", err
	}
	items = make([]T, 0, len(page.Records))
	for _, r := range page.Records {
		var v T
		if err := json.Unmarshal(r.Value, &v); err != nil {
			return nil, "", fmt.Errorf("decode record %q: %w", r.Key, err)
		}
		items = append(items, v)
	}
	return items, strings.TrimPrefix(page.Next, prefix), nil
}

// all collects a whole list of known small size.
func all[T any](ctx context.Context, store storage.Backend, prefix string) ([]T, error) {
	var items []T
	for p := (Page{}); ; {
		part, next, err := list[T](ctx, store, prefix, p, false)
		if err != nil {
			return nil, err
		}
		items = append(items, part...)
		if next == "" {
			return items, nil
		}
		p.After = next
	}
}

// missing turns a record that is not there into the problem.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, storage.ErrNotFound) {
		return problem.New(problem.NotFound, format, args...)
	}
	return err
}
