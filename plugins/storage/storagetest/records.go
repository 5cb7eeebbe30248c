package storagetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

var recordCases = []testCase{
	{"what was put is got", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("users/ann", []byte("a")))
		r := s.get("users/ann")
		if r.Key != "users/ann" || string(r.Value) != "a" || r.Rev != rev || !r.Expires.IsZero() {
			t.Errorf("Get() = %+v, want value a at revision %d without expiry", r, rev)
		}
	})},
	{"unknown key is not found", on(func(t *testing.T, s store) {
		s.apply(storage.Put("a/b", nil))
		for _, key := range []string{"a", "a/", "a/b/c", "A/B", "", "\x00", "\xff"} {
			s.absent(key)
		}
	})},
	{"values of any bytes and none come back", on(func(t *testing.T, s store) {
		for _, value := range []string{"", "\x00", "\xff\xfe\x00x", strings.Repeat("v", storage.MaxValue)} {
			s.apply(storage.Put("k", []byte(value)))
			s.holds("k", value)
		}
		s.apply(storage.Put("k", nil))
		s.holds("k", "")
	})},
	{"keys of any text come back", on(func(t *testing.T, s store) {
		keys := []string{" ", "é/日本", "a'b\"c", "%_?*", "\x01\x7f", strings.Repeat("k", storage.MaxKey)}
		for _, key := range keys {
			s.apply(storage.Put(key, []byte(key)))
		}
		for _, key := range keys {
			s.holds(key, key)
		}
	})},
	{"values belong to the caller", on(func(t *testing.T, s store) {
		value := []byte("mine")
		s.apply(storage.Put("k", value))
		copy(value, "XXXX")
		copy(s.get("k").Value, "YYYY")
		copy(s.list(storage.Query{}).Records[0].Value, "ZZZZ")
		s.holds("k", "mine")
	})},
	{"delete removes, and removing nothing is no error", on(func(t *testing.T, s store) {
		s.apply(storage.Put("k", []byte("v")))
		gone := s.apply(storage.Delete("k"))
		s.absent("k")
		if again := s.apply(storage.Delete("k")); again != gone {
			t.Errorf("revision of a delete of nothing = %d, want %d", again, gone)
		}
	})},
	{"expired record is not there", on(func(t *testing.T, s store) {
		s.apply(storage.Put("old", []byte("v")).Until(time.Now().Add(-time.Hour)), storage.Put("new", nil))
		s.absent("old")
		if keys := s.all(storage.Query{}); len(keys) != 1 || keys[0] != "new" {
			t.Errorf("List() = %q, want new alone", keys)
		}
		s.apply(storage.Create("old", []byte("again")))
		s.holds("old", "again")
	})},
	{"expired record fails its revision", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("k", []byte("v")).Until(time.Now().Add(-time.Minute)))
		if _, err := s.Apply(t.Context(), storage.Update("k", nil, rev)); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Update() of an expired record = %v, want ErrConflict", err)
		}
	})},
	{"record lives until it expires", on(func(t *testing.T, s store) {
		at := time.Now().Add(150 * time.Millisecond)
		s.apply(storage.Put("k", []byte("v")).Until(at))
		r, err := s.Get(t.Context(), "k")
		if time.Now().Before(at.Add(-time.Millisecond)) && err != nil {
			t.Fatalf("Get() before the expiry = %v", err)
		}
		if err == nil && (r.Expires.Sub(at).Abs() >= time.Millisecond || r.Expires.After(at)) {
			t.Errorf("Expires = %v, want %v", r.Expires, at)
		}
		eventually(t, "expired", func() bool {
			_, err := s.Get(t.Context(), "k")
			return errors.Is(err, storage.ErrNotFound)
		})
		if now := time.Now(); now.Before(at.Add(-time.Millisecond)) {
			t.Errorf("expired %s too early", at.Sub(now))
		}
	})},
	{"plain put takes an expiry away", on(func(t *testing.T, s store) {
		s.apply(storage.Put("k", nil).Until(time.Now().Add(50 * time.Millisecond)))
		s.apply(storage.Put("k", []byte("kept")))
		if r := s.get("k"); !r.Expires.IsZero() {
			t.Errorf("Expires = %v, want none", r.Expires)
		}
	})},
	{"cancelled context gives its cause", on(func(t *testing.T, s store) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, getErr := s.Get(ctx, "k")
		_, listErr := s.List(ctx, storage.Query{})
		_, applyErr := s.Apply(ctx, storage.Put("k", nil))
		_, watchErr := s.Watch(ctx, "")
		for _, err := range []error{getErr, listErr, applyErr, watchErr} {
			if !errors.Is(err, cause) {
				t.Errorf("error = %v, want the cause", err)
			}
		}
		s.absent("k")
	})},
	{"after close everything says so", on(func(t *testing.T, s store) {
		s.apply(storage.Put("k", nil))
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatalf("Close() = %v", err)
			}
		}
		_, getErr := s.Get(t.Context(), "k")
		_, listErr := s.List(t.Context(), storage.Query{})
		_, applyErr := s.Apply(t.Context(), storage.Put("k", nil))
		_, watchErr := s.Watch(t.Context(), "")
		for _, err := range []error{getErr, listErr, applyErr, watchErr} {
			if !errors.Is(err, storage.ErrClosed) {
				t.Errorf("error = %v, want ErrClosed", err)
			}
		}
	})},
	{"close under load ends every call", on(func(t *testing.T, s store) {
		const workers = 8
		errs := make(chan error, workers)
		for range workers {
			go func() {
				for {
					if _, err := s.Apply(context.Background(), storage.Put("k", bytes.Repeat([]byte("v"), 64))); err != nil {
						errs <- err
						return
					}
					if _, err := s.Get(context.Background(), "k"); err != nil {
						errs <- err
						return
					}
				}
			}()
		}
		eventually(t, "first write", func() bool { _, err := s.Get(t.Context(), "k"); return err == nil })
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		for range workers {
			if err := <-errs; !errors.Is(err, storage.ErrClosed) {
				t.Errorf("error = %v, want ErrClosed", err)
			}
		}
	})},
}
