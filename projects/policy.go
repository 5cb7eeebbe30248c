// Package projects is the domain of people: users, logins, tokens, projects, members, roles and the audit log.
//
// Everything lives in one storage.Backend. What a credential may do is read once, kept in memory as a Grant and taken
// back within a second of any change that revokes it, whichever process made the change.
package projects

// Role is what a member is in a project; the site's administrators have SiteAdmin besides.
type Role string

// The roles of the Hopsworks model, and the site's own.
const (
	DataOwner     Role = "data_owner"
	DataScientist Role = "data_scientist"
	// Steward is what a site administrator is in a project without being a member: may administer it, never read its
	// data or run code.
	Steward   Role = "steward"
	SiteAdmin Role = "site_admin" // held on the site, never in a project
	SiteUser  Role = "site_user"  // anyone who is logged in
	SiteToken Role = "site_token" // a token of one project, outside of that project
)

// Member reports whether r is a role that people hold in a project.
func (r Role) Member() bool { return r == DataOwner || r == DataScientist }

// Resource is a kind of thing that the policy speaks of.
type Resource string

// The resources. Those of the Jupyter door bear Jupyter's names.
const (
	ResSelf      Resource = "self" // one's own account: name, password, login link
	ResUsers     Resource = "users"
	ResTokens    Resource = "tokens" // one's own
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
	// ResEnvironments are a project's environments, their builds and what is in them.
	ResEnvironments Resource = "environments"
)

// Action is what is done to a resource.
type Action string

// The actions. For members, to execute is to leave; for workloads, to execute is to stop one's own and to write is to
// stop anybody's; for environments, to write is to make, change, build and activate them, and to execute is to decide for the whole
// project: the one that counts by default, what is kept, what is removed.
const (
	ActRead    Action = "read"
	ActWrite   Action = "write"
	ActExecute Action = "execute"
)

// roleSet is a set of roles.
type roleSet uint8

// One bit for each role, short because the table below is read by people.
const (
	own roleSet = 1 << iota // data owner
	sci                     // data scientist
	stw                     // steward
	adm                     // site administrator
	usr                     // user of the site
	tok                     // token of one project, outside of it
)

var bits = map[Role]roleSet{DataOwner: own, DataScientist: sci, Steward: stw, SiteAdmin: adm, SiteUser: usr, SiteToken: tok}

type permission struct {
	res Resource
	act Action
}

// policy is the whole of it: what is not here is denied. The first three roles are held in a project, the others on the
// site; ResProjects means on the site to list and make projects, in a project to see, change and delete that one.
var policy = map[permission]roleSet{
	{ResSelf, ActRead}:         adm | usr | tok,
	{ResSelf, ActWrite}:        adm | usr,
	{ResUsers, ActRead}:        adm | usr,
	{ResUsers, ActWrite}:       adm,
	{ResTokens, ActRead}:       adm | usr,
	{ResTokens, ActWrite}:      adm | usr,
	{ResProjects, ActRead}:     own | sci | stw | adm | usr,
	{ResProjects, ActWrite}:    own | stw | adm | usr,
	{ResMembers, ActRead}:      own | sci | stw,
	{ResMembers, ActWrite}:     own | stw,
	{ResMembers, ActExecute}:   own | sci | stw,
	{ResWorkloads, ActRead}:    own | sci | stw,
	{ResWorkloads, ActWrite}:   own | stw,
	{ResWorkloads, ActExecute}: own | sci | stw,
	{ResAudit, ActRead}:        own | stw | adm,
	{ResEvents, ActRead}:       own | sci | stw | adm | usr,
	{ResContents, ActRead}:     own | sci,
	{ResContents, ActWrite}:    own | sci,
	{ResKernels, ActRead}:      own | sci,
	{ResKernels, ActWrite}:     own | sci,
	{ResKernels, ActExecute}:   own | sci,
	{ResSessions, ActRead}:     own | sci,
	{ResSessions, ActWrite}:    own | sci,
	{ResSessions, ActExecute}:  own | sci,
	{ResTerminals, ActRead}:    own | sci,
	{ResTerminals, ActWrite}:   own | sci,
	{ResTerminals, ActExecute}: own | sci,
	{ResSettings, ActRead}:     own | sci,
	{ResSettings, ActWrite}:    own | sci,
	{ResServer, ActRead}:       own | sci | adm | usr,
	{ResServer, ActExecute}:    own | sci, // listen to the server's own events

	{ResEnvironments, ActRead}:    own | sci | stw,
	{ResEnvironments, ActWrite}:   own | sci,
	{ResEnvironments, ActExecute}: own,
}

// May reports whether the role may do that. Everything that the policy does not name is denied.
func May(r Role, res Resource, act Action) bool { return policy[permission{res, act}]&bits[r] != 0 }

// Granted reports whether the policy gives that to anybody at all: what it does not is a mistake.
func Granted(res Resource, act Action) bool { return policy[permission{res, act}] != 0 }
