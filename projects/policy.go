// Package projects is the domain of people: users, logins, tokens, projects, members, roles and the audit log.
package projects

// Role is what a member is in a project; the site's administrators have SiteAdmin besides.
type Role string

// The roles of the Hopsworks model, and the site's own.
const (
	DataOwner     Role = "data_owner"
	DataScientist Role = "data_scientist"
	SiteAdmin     Role = "site_admin" // held on the site, never in a project
	SiteUser      Role = "site_user"  // anyone who is logged in
)

// Resource is a kind of thing that the policy speaks of.
type Resource string

// The resources. Those of the Jupyter door bear Jupyter's names.
const (
	ResUsers     Resource = "users"
	ResTokens    Resource = "tokens"
	ResProjects  Resource = "projects"
	ResMembers   Resource = "members"
	ResWorkloads Resource = "workloads"
	ResAudit     Resource = "audit"
	ResEvents    Resource = "events"
	ResContents  Resource = "contents"
	ResKernels   Resource = "kernels"
	ResSessions  Resource = "sessions"
	ResTerminals Resource = "terminals"
	ResSettings  Resource = "settings"
	ResServer    Resource = "server" // pages, status, static files
)

// Action is what is done to a resource.
type Action string

// The actions.
const (
	ActRead    Action = "read"
	ActWrite   Action = "write"
	ActExecute Action = "execute"
)
