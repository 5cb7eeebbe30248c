package projects

import (
	"context"
	"fmt"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// By says who asks for a change and from where, for the audit log. An empty User is the command line on the server itself.
type By struct {
	User   string
	Remote string // address, without port
}

// Entry is one line of the audit log.
type Entry struct {
	ID       string    `json:"id"` // grows with time
	Time     time.Time `json:"time"`
	User     string    `json:"user"`
	Action   string    `json:"action"`   // "login", "login_failed", "member_set", "token_made", "workload_start" …
	Resource string    `json:"resource"` // what it was done to
	Project  string    `json:"project,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Remote   string    `json:"remote,omitempty"`
}

// auditTTL is how long entries are kept.
const auditTTL = 400 * 24 * time.Hour

// Record adds an entry to the audit log. ID and Time are filled in.
func (s *Service) Record(ctx context.Context, e Entry) error {
	_, err := s.store.Apply(ctx, s.audited(e)...)
	return err
}

// audited gives the operations that write an entry, for the Apply of the change itself: there is no change without its
// entry.
func (s *Service) audited(e Entry) []storage.Op {
	e.Time = s.now().UTC()
	e.ID = fmt.Sprintf("%016x-%s", e.Time.UnixNano(), newID())
	expires := e.Time.Add(auditTTL)
	ops := []storage.Op{storage.Create(auditKeys+e.ID, encode(e)).Until(expires)}
	if e.Project != "" {
		ops = append(ops, storage.Create(projAuditKeys+e.Project+"/"+e.ID, encode(e)).Until(expires))
	}
	return ops
}

// entry begins an Entry of what by does.
func (b By) entry(action, resource, detail string) Entry {
	return Entry{User: b.User, Remote: b.Remote, Action: action, Resource: resource, Detail: detail}
}

// in gives the entry a project.
func (e Entry) in(project string) Entry {
	e.Project = project
	return e
}

// Audit returns entries newest first: of one project, or of the whole site where project is empty.
func (s *Service) Audit(ctx context.Context, project string, p Page) (entries []Entry, next string, err error) {
	prefix := auditKeys
	if project != "" {
		if CheckProjectName(project) != nil {
			return nil, "", problem.New(problem.NotFound, "there is no project %q", project)
		}
		prefix = projAuditKeys + project + "/"
	}
	return list[Entry](ctx, s.store, prefix, p, true)
}
