// Package storage is the contract for facts that must outlive every process: users, projects, tokens, workloads, notebook
// sessions, the audit log.
//
// A Backend is an ordered map from keys to small values with revisions. Every write is a batch that holds all of its
// conditions or changes nothing. The list is the truth, a Watcher is only a hint to look again.
//
// The contract imports the standard library alone. storagetest.Run is its conformance suite.
package storage

import (
	"context"
	"errors"
	"time"
)

// Errors that a caller branches on. Backends wrap them with the key concerned.
var (
	// ErrNotFound means that the key holds no record.
	ErrNotFound = errors.New("storage: not found")
	// ErrConflict means that a condition of Apply did not hold; nothing was changed. Read again and decide anew.
	ErrConflict = errors.New("storage: conflict")
	// ErrMissed means that a Watcher lost changes; list again. The Watcher stays usable.
	ErrMissed = errors.New("storage: changes missed")
	// ErrClosed means that the Backend or Watcher has been closed.
	ErrClosed = errors.New("storage: closed")
	// ErrTooLarge means that a key is over MaxKey, a value over MaxValue or an Apply over MaxOps; nothing was changed.
	ErrTooLarge = errors.New("storage: too large")
	// ErrInvalid means that an Apply is malformed: an empty key, one that is not UTF-8 or holds a zero byte, the same
	// key twice, an unknown kind. Nothing was changed.
	ErrInvalid = errors.New("storage: invalid")
	// ErrFull means that there is no room left to write; nothing was changed, and reading goes on.
	ErrFull = errors.New("storage: no space left")
)

// Limits that every backend keeps, so that a program that works on one works on all.
const (
	MaxKey       = 512     // bytes
	MaxValue     = 1 << 20 // bytes
	MaxOps       = 128     // operations in one Apply
	MaxPage      = 1000    // records in one Page
	MaxPageBytes = 4 << 20 // bytes of values after which a Page takes no further record
)

// Revision is the position of a write in the backend's one order of writes. Revisions only grow; 0 is before all writes.
type Revision uint64

// Record is one key with its value as of Rev, the revision that last wrote it.
type Record struct {
	Key   string
	Value []byte
	Rev   Revision
	// Expires is when the record disappears by itself; zero means never. An expired record is not found and not
	// listed and meets Absent, whether or not it has been swept yet; sweeping it later tells Watchers that it was
	// deleted. Resolution: one millisecond.
	Expires time.Time
}

// Op is one change of an Apply: a put, a delete or a mere condition.
type Op struct {
	Kind    OpKind
	Key     string
	Value   []byte    // for Put
	Expires time.Time // for Put; zero means never
	// If is the condition under which the whole Apply may happen.
	If Condition
}

// OpKind says what an Op does.
type OpKind uint8

// The kinds of Op.
const (
	OpPut OpKind = iota + 1
	OpDelete
	OpCheck
)

// Condition compares a key's present record before anything of the Apply is done.
type Condition struct {
	kind condKind
	rev  Revision
}

type condKind uint8

const (
	condAlways condKind = iota
	condAbsent
	condAt
)

// Absent holds if the key has no record.
func Absent() Condition { return Condition{kind: condAbsent} }

// At holds if the key's record was last written at rev.
func At(rev Revision) Condition { return Condition{kind: condAt, rev: rev} }

// Holds reports whether the condition is true of a key whose record has revision rev, or which has none (exists false).
// Backends that cannot express conditions themselves use it.
func (c Condition) Holds(rev Revision, exists bool) bool {
	switch c.kind {
	case condAbsent:
		return !exists
	case condAt:
		return exists && rev == c.rev
	default:
		return true
	}
}

// Rev gives the revision an At condition asks for, and whether it is one.
func (c Condition) Rev() (Revision, bool) { return c.rev, c.kind == condAt }

// IsAbsent reports whether the condition is Absent.
func (c Condition) IsAbsent() bool { return c.kind == condAbsent }

// Put writes value at key, whatever is there.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// Create writes value at key if nothing is there.
func Create(key string, value []byte) Op {
	return Op{Kind: OpPut, Key: key, Value: value, If: Absent()}
}

// Update writes value at key if its record is still the one of rev.
func Update(key string, value []byte, rev Revision) Op {
	return Op{Kind: OpPut, Key: key, Value: value, If: At(rev)}
}

// Delete removes key; removing what is not there is no error.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// Check changes nothing and lets the Apply happen only if cond holds.
func Check(key string, cond Condition) Op { return Op{Kind: OpCheck, Key: key, If: cond} }

// Until returns the Put with an expiry.
func (o Op) Until(t time.Time) Op { o.Expires = t; return o }

// When returns the Op with a condition.
func (o Op) When(c Condition) Op { o.If = c; return o }

// Query selects records whose key begins with Prefix and sorts after After, in byte order, at most Limit of them
// (0 and what is over MaxPage mean MaxPage). Reverse walks from the end; After is then an upper bound, not included
// either. Any strings will do for Prefix and After, they need not be keys.
type Query struct {
	Prefix  string
	After   string
	Limit   int
	Reverse bool
}

// Page is one answer to a Query. Next is the After for the following page, empty when this was the last one; it alone
// says so, because large values make a page shorter than Limit. Rev is a revision that the page is at least as new as:
// if it has not moved since, the page would be the same but for what expired.
type Page struct {
	Records []Record
	Next    string
	Rev     Revision
}

// Change tells that a key was written or deleted at Rev. It carries no value on purpose: read the key.
type Change struct {
	Key     string
	Rev     Revision
	Deleted bool
}

// Watcher yields the keys that changed. It is not safe for concurrent use; whoever opened it closes it.
type Watcher interface {
	// Next waits for the next change. It returns ErrMissed if changes were lost since the last call (list again, the
	// Watcher goes on), ErrClosed after Close, or the context's cause.
	Next(ctx context.Context) (Change, error)
	// Close ends the Watcher and makes a waiting Next return. It is idempotent.
	Close() error
}

// Holders is a further power, of a Backend that knows for certain which handles on its store are open, in whatever process. A
// record can then name who is at work on what it describes, and whoever reads it knows whether that goes on. Where a Backend has
// not got it, only the age of a record tells.
type Holders interface {
	// Holder names this handle. No other handle on the store is ever called so.
	Holder() string
	// Gone says whether the handle of that name has been closed, or its process has died. It is false for as long as that is not
	// certain, and for what cannot be the name of a handle.
	Gone(ctx context.Context, holder string) (bool, error)
}

// Backend keeps the records. All methods are safe for concurrent use. Keys and values given to a Backend are not kept
// or changed after the call; those it returns belong to the caller.
type Backend interface {
	// Get returns the record at key, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)
	// List returns one page of records in key order.
	List(ctx context.Context, q Query) (Page, error)
	// Apply does all the operations in one step, durable when it returns, or none of them: ErrConflict if a condition
	// does not hold. No key may occur twice. It returns the revision of what it wrote, or the present one if nothing
	// had to change (only checks, or deletes of what is not there). After an error that is none of this package's the
	// fate of the batch is unknown; conditions make a repetition safe. A context that ends before the batch was begun
	// gives its cause, and nothing was changed.
	Apply(ctx context.Context, ops ...Op) (Revision, error)
	// Watch yields the changes to keys that begin with prefix, from now on, in revision order, also those that other
	// processes made (these within a second). Open it before the list that it is to keep fresh.
	Watch(ctx context.Context, prefix string) (Watcher, error)
	// Close ends all Watchers and releases the backend. Everything after it gives ErrClosed. It is idempotent.
	Close() error
}
