package lock

import "fmt"

// Check says what is wrong with a lock, all of it; nil when it can be trusted as far as its words go. Encode does not check:
// whoever makes a lock from what a solver said does.
func (l *Lock) Check() error {
	if l.Version != FormatVersion {
		return fmt.Errorf("lock has version %d; this program reads version %d", l.Version, FormatVersion)
	}
	return nil
}
