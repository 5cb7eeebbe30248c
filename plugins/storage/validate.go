package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Validate tells what is wrong with the operations of one Apply, before any of them is looked at: ErrInvalid or
// ErrTooLarge. Backends call it first, so that all of them refuse the same.
func Validate(ops []Op) error {
	if len(ops) > MaxOps {
		return fmt.Errorf("%w: %d operations, at most %d", ErrTooLarge, len(ops), MaxOps)
	}
	seen := make(map[string]struct{}, len(ops))
	for _, op := range ops {
		if err := op.validate(); err != nil {
			return err
		}
		if _, twice := seen[op.Key]; twice {
			return fmt.Errorf("%w: key %q occurs twice", ErrInvalid, op.Key)
		}
		seen[op.Key] = struct{}{}
	}
	return nil
}

func (o Op) validate() error {
	switch {
	case o.Kind < OpPut || o.Kind > OpCheck:
		return fmt.Errorf("%w: unknown kind %d of operation", ErrInvalid, o.Kind)
	case o.Key == "":
		return fmt.Errorf("%w: empty key", ErrInvalid)
	case len(o.Key) > MaxKey:
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(o.Key), MaxKey)
	case !utf8.ValidString(o.Key) || strings.IndexByte(o.Key, 0) >= 0:
		return fmt.Errorf("%w: key %q is not UTF-8 or holds a zero byte", ErrInvalid, o.Key)
	case len(o.Value) > MaxValue:
		return fmt.Errorf("%w: value of %q has %d bytes, at most %d", ErrTooLarge, o.Key, len(o.Value), MaxValue)
	}
	return nil
}
