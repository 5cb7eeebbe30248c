package lock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Encode writes the lock as JSON, always the same for the same lock. It fails only where a package's Record is no JSON.
func (l *Lock) Encode() ([]byte, error) {
	text, err := json.Marshal(l.canonical())
	if err != nil {
		return nil, fmt.Errorf("encode lock: %w", err)
	}
	return append(text, '\n'), nil
}

// Decode reads what Encode wrote and checks all of it: whatever comes out is safe to install from as far as its words go. Its
// errors name the artifact and what is wrong with it.
func Decode(text []byte) (*Lock, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var l Lock
	if err := decoder.Decode(&l); err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("read lock: something follows it")
	}
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("this lock cannot be used: %w", err)
	}
	return l.canonical(), nil
}

// canonical is a copy with everything in its one order and form.
func (l *Lock) canonical() *Lock {
	c := *l
	c.Version = FormatVersion
	c.Created = c.Created.UTC().Truncate(time.Second)
	c.Virtual = slices.Sorted(slices.Values(l.Virtual))
	c.Packages = slices.SortedFunc(slices.Values(l.Packages), func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.URL, b.URL))
	})
	c.Wheels = slices.SortedFunc(slices.Values(l.Wheels), func(a, b Wheel) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.URL, b.URL))
	})
	for i, w := range c.Wheels {
		c.Wheels[i].Requires = slices.Sorted(slices.Values(w.Requires))
	}
	return &c
}
