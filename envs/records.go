package envs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Where things are kept. Names never contain a slash, so keys take apart as they were put together.
const (
	envKeys        = "environments/"            // project/name
	revisionKeys   = "environment-revisions/"   // project/name/number
	buildKeys      = "environment-builds/"      // project/name/number
	activationKeys = "environment-activations/" // project/name/number
	lockKeys       = "environment-locks/"       // ID
	lockMarkKeys   = "environment-lock-marks/"  // ID
)

// envRecord is an Environment as stored. Whoever adds to it writes it too, under a condition: numbers are given once, and
// two who change it at once notice.
type envRecord struct {
	Environment
	// Builds and Activations are the last numbers given.
	Builds      int `json:"builds,omitempty"`
	Activations int `json:"activations,omitempty"`
	// Chosen is the last activation that a person asked for: what was asked to be built before it does not replace it.
	Chosen int `json:"chosen,omitempty"`
	// Deleting says that it has been deleted for everybody, but not all that belongs to it has.
	Deleting bool `json:"deleting,omitempty"`
}

// buildRecord is a Build as stored.
type buildRecord struct {
	Build
	// Inputs names all that decided the lock: equal inputs need no second solve.
	Inputs string `json:"inputs,omitempty"`
	// Upgrade are packages that need not stay what they are.
	Upgrade []string `json:"upgrade,omitempty"`
	// Asked is how many activations there had been when it was asked for.
	Asked int `json:"asked,omitempty"`
	// Restore says that it was ready once and that its files are being made again; Then is why it becomes the one in use.
	Restore bool   `json:"restore,omitempty"`
	Then    string `json:"then,omitempty"`
	ThenBy  string `json:"then_by,omitempty"`
	// Tries is how many builders have been lost.
	Tries int `json:"tries,omitempty"`
}

func envKey(project, name string) string { return envKeys + project + "/" + name }

func numbered(prefix, project, name string, n int) string {
	return fmt.Sprintf("%s%s/%s/%08d", prefix, project, name, n)
}

// owner takes a key of an environment, or of what belongs to one, apart.
func owner(key string) (project, name string, ok bool) {
	_, rest, _ := strings.Cut(key, "/")
	parts := strings.Split(rest, "/")
	if len(parts) < 2 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// load reads the record at key. A missing one is storage.ErrNotFound.
func load[T any](ctx context.Context, backend storage.Backend, key string) (T, storage.Revision, error) {
	var v T
	r, err := backend.Get(ctx, key)
	if err != nil {
		return v, 0, err
	}
	if err := json.Unmarshal(r.Value, &v); err != nil {
		return v, 0, fmt.Errorf("decode record %q: %w", key, err)
	}
	return v, r.Rev, nil
}

// stored is a record with its place.
type stored[T any] struct {
	value T
	key   string
	rev   storage.Revision
}

// all collects the records below prefix, in the order of their keys.
func all[T any](ctx context.Context, backend storage.Backend, prefix string) ([]stored[T], error) {
	var items []stored[T]
	for q := (storage.Query{Prefix: prefix}); ; {
		page, err := backend.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			s := stored[T]{key: r.Key, rev: r.Rev}
			if err := json.Unmarshal(r.Value, &s.value); err != nil {
				return nil, fmt.Errorf("decode record %q: %w", r.Key, err)
			}
			items = append(items, s)
		}
		if q.After = page.Next; page.Next == "" {
			return items, nil
		}
	}
}

// encode turns a record into its stored form. Records are plain structs of ours, so that it cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// missing turns a record that is not there into the problem.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, storage.ErrNotFound) {
		return problem.New(problem.NotFound, format, args...)
	}
	return err
}

// packLock is a lock's stored form: its JSON, compressed.
func packLock(l *lock.Lock) ([]byte, error) {
	text, err := l.Encode()
	if err != nil {
		return nil, fmt.Errorf("store lock: %w", err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("store lock: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("store lock: %w", err)
	}
	if b.Len() > storage.MaxValue {
		return nil, problem.New(problem.TooLarge, "the environment has too many packages: what is locked is over %d bytes", storage.MaxValue)
	}
	return b.Bytes(), nil
}

// maxLock bounds what a stored lock may unpack to, in bytes.
const maxLock = 64 << 20

func unpackLock(b []byte) (*lock.Lock, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the stored lock cannot be read: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxLock))
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the stored lock cannot be read: %w", err)
	}
	l, err := lock.Decode(text)
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "the stored lock cannot be read: %w", err)
	}
	return l, nil
}
