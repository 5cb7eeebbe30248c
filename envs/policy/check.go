package policy

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

// CheckSpec tells what r has against s before it is solved. Empty means that nothing is known against it.
func (r Rules) CheckSpec(s *spec.Spec) []driver.Failure {
	var c checker
	for _, channel := range s.Channels {
		c.channel(r, channel, spec.Requirement{})
	}
	for _, req := range s.Dependencies {
		if req.Channel != "" {
			c.channel(r, req.Channel, req)
		}
		c.name(r, req)
	}
	for _, req := range s.Pip {
		c.name(r, req)
	}
	if n := len(s.Dependencies) + len(s.Pip); r.MaxPackages > 0 && n > r.MaxPackages {
		c.refuse(fmt.Sprintf("max_packages: %d", r.MaxPackages), "", "environment.yml asks for %d packages, and an environment may have %d: remove some", n, r.MaxPackages)
	}
	return c.failures
}

// CheckLock tells what r has against l at a moment: every address, package, licence, age and size. Empty means that it is allowed.
//
// A conda artifact must lie below an allowed channel. Where r does not know the address of an allowed name, the channel is the
// folder of that name on the one host, spoken to by https, that the lock has for it among its channels: l is a solver's, or has been
// completed by a driver, so that these are not its sender's words. A wheel must have a hash, so that its file is the one that
// the index told of, and come from the host of an allowed index or one of WheelHosts; where r names neither, from any public host by
// https, or from the index of the lock.
func (r Rules) CheckLock(l *lock.Lock, now time.Time) []driver.Failure {
	var c checker
	c.channels(r, l)
	c.wheels(r, l)
	c.licenses(r, l)
	c.ages(r, l, now)
	for i := range l.Packages {
		c.name(r, spec.Requirement{Name: l.Packages[i].Name})
	}
	for _, w := range l.Wheels {
		c.name(r, spec.Requirement{Name: w.Name})
	}
	if n := len(l.Packages) + len(l.Wheels); r.MaxPackages > 0 && n > r.MaxPackages {
		c.refuse(fmt.Sprintf("max_packages: %d", r.MaxPackages), "", "the environment would have %d packages, and %d are allowed: ask for fewer", n, r.MaxPackages)
	}
	if n := size(l); r.MaxArtifactBytes > 0 && n > r.MaxArtifactBytes {
		c.refuse(fmt.Sprintf("max_artifact_bytes: %s", r.MaxArtifactBytes), "", "the artifacts have %s, and %s are allowed: leave out large packages", n, r.MaxArtifactBytes)
	}
	return c.failures
}

// CheckImport tells what r has against the addresses in a lock that came from outside, which nobody may ask before. It believes nothing
// that l says of channels and indexes: names mean what is in at, and those that are not known allow nothing.
func (r Rules) CheckImport(l *lock.Lock, at driver.Places) []driver.Failure {
	known := *l
	known.Channels, known.Indexes = nil, nil
	if at.Index != "" {
		known.Indexes = []string{at.Index}
	}
	var c checker
	c.channels(r.knowing(at.Channels), &known)
	c.wheels(r, &known)
	return c.failures
}

// CheckHashes tells which wheels of l are not the ones that s allows by their hashes.
func CheckHashes(s *spec.Spec, l *lock.Lock) []driver.Failure {
	var all []driver.Failure
	for _, req := range s.Pip {
		for _, w := range l.Wheels {
			if len(req.Hashes) > 0 && plainName(w.Name) == plainName(req.Name) && !slices.Contains(req.Hashes, "sha256:"+w.SHA256) {
				all = append(all, driver.Failure{
					Cause: driver.HashMismatch, Package: w.Name, Line: req.Line, Column: req.Col,
					Message: fmt.Sprintf("%s has none of the hashes that environment.yml allows for %s: add sha256:%s if that file is the right one", cmp.Or(w.Filename, w.Name), req.Name, w.SHA256),
				})
			}
		}
	}
	return all
}

func size(l *lock.Lock) Size {
	var n Size
	for _, p := range l.Packages {
		n += Size(p.Size)
	}
	for _, w := range l.Wheels {
		n += Size(w.Size)
	}
	return n
}

// checker collects refusals.
type checker struct{ failures []driver.Failure }

func (c *checker) refuse(rule, name, format string, args ...any) {
	c.refuseAt(spec.Requirement{}, rule, name, format, args...)
}

// refuseAt is refuse with the place of what is refused.
func (c *checker) refuseAt(req spec.Requirement, rule, name, format string, args ...any) {
	c.failures = append(c.failures, driver.Failure{
		Cause: driver.PolicyDenied, Rule: rule, Package: name, Message: fmt.Sprintf(format, args...), Line: req.Line, Column: req.Col,
	})
}

func (c *checker) channel(r Rules, channel string, req spec.Requirement) {
	rule := r.channelRule(channel)
	if rule == "" {
		return
	}
	message := fmt.Sprintf("the channel %s is not allowed here: take %s, or ask who runs the site", channel, list(r.allowed()))
	if strings.HasPrefix(rule, "denied_channels") {
		message = fmt.Sprintf("the channel %s is closed to this project: take another, or ask who runs the site", channel)
	}
	c.refuseAt(req, rule, req.Name, "%s", message)
}

func (c *checker) name(r Rules, req spec.Requirement) {
	for _, pattern := range r.DenyPackages {
		if glob(plainName(pattern), plainName(req.Name)) {
			c.refuseAt(req, "deny_packages: "+pattern, req.Name, "%s is not allowed here: remove it, or what needs it", req.Name)
			return
		}
	}
}

var dashes = regexp.MustCompile(`[-_.]+`)

func plainName(name string) string {
	return strings.ToLower(dashes.ReplaceAllString(name, "-"))
}

// channels checks where conda's artifacts come from.
func (c *checker) channels(r Rules, l *lock.Lock) {
	var allowed []func(address) bool
	for _, entry := range r.allowed() {
		allowed = append(allowed, r.allowedPlace(entry, l))
	}
	denied := map[string]func(address) bool{}
	for _, entry := range r.DeniedChannels {
		denied[entry] = r.place(entry, l)
	}
	places := folders{}
	for i := range l.Packages {
		p := &l.Packages[i]
		a, err := places.parse(p.URL)
		if err != nil {
			c.refuse("urls", p.Name, "the address of %s on %s is refused: %s", p.Name, hostOf(p.URL), err)
			continue
		}
		if !isSHA256(p.SHA256) {
			c.refuse("hashes", p.Name, "the lock has no SHA-256 of %s, so that its file cannot be checked: solve again", p.Name)
			continue
		}
		if entry := firstIn(a, r.DeniedChannels, denied); entry != "" {
			c.refuse("denied_channels: "+entry, p.Name, "%s comes from the channel %s, which is closed to this project: take it from another one", p.Name, entry)
			continue
		}
		if !slices.ContainsFunc(allowed, func(in func(address) bool) bool { return in(a) }) {
			c.refuse("allowed_channels", p.Name, "%s comes from %s, which is below none of the allowed channels (%s): take it from one of them, or ask who runs the site",
				p.Name, a, list(r.allowed()))
		}
	}
}

func firstIn(a address, entries []string, places map[string]func(address) bool) string {
	for _, entry := range entries {
		if places[entry](a) {
			return entry
		}
	}
	return ""
}

// allowedPlace gives the test for artifacts of an allowed channel. Unlike place it never guesses.
func (r Rules) allowedPlace(channel string, l *lock.Lock) func(address) bool {
	if channel == everything {
		return func(address) bool { return true }
	}
	if a, known := r.resolve(channel); known {
		return a.above
	}
	name := strings.Split(channel, "/")
	var hosts []string
	for _, text := range l.Channels {
		a, err := parseAddress(text)
		if err == nil && a.scheme == "https" && len(a.path) > 0 && a.path[0] == name[0] && !slices.Contains(hosts, a.host) {
			hosts = append(hosts, a.host)
		}
	}
	if len(hosts) != 1 { // of two hosts that claim the name we do not know the right one
		return func(address) bool { return false }
	}
	return address{"https", hosts[0], name}.above
}

// licenses checks every artifact's licence.
func (c *checker) licenses(r Rules, l *lock.Lock) {
	check := func(name, license string) {
		if strings.TrimSpace(license) == "" {
			if r.DenyUnknownLicenses {
				c.refuse("deny_unknown_licenses", name, "%s does not say its licence: remove it, or ask who runs the site to allow it", name)
			}
			return
		}
		if pattern := deniedLicense(license, r.DenyLicenses); pattern != "" {
			c.refuse("deny_licenses: "+pattern, name, "%s has the licence %s, which is not allowed here: take another package, or ask who runs the site", name, clip(license))
		}
	}
	for _, p := range l.Packages {
		check(p.Name, p.License)
	}
	for _, w := range l.Wheels {
		check(w.Name, w.License)
	}
}

// ages checks that every artifact is old enough.
func (c *checker) ages(r Rules, l *lock.Lock, now time.Time) {
	if r.MinimumAge.Duration <= 0 {
		return
	}
	check := func(name string, released time.Time, known bool) {
		switch age := now.Sub(released); {
		case !known && r.DenyUnknownAge:
			c.refuse("deny_unknown_age", name, "%s does not say when it was released: take another version, or ask who runs the site", name)
		case known && age < r.MinimumAge.Duration:
			c.refuse("minimum_age: "+r.MinimumAge.String(), name, "%s was released on %s, and packages must be %s old here: take an older version, or wait until %s",
				name, released.UTC().Format(time.DateOnly), r.MinimumAge, released.Add(r.MinimumAge.Duration).UTC().Format(time.DateOnly))
		}
	}
	for _, p := range l.Packages {
		check(p.Name, stamp(p.Timestamp), p.Timestamp > 0)
	}
	for _, w := range l.Wheels {
		uploaded, err := time.Parse(time.RFC3339, w.Uploaded)
		check(w.Name, uploaded, err == nil)
	}
}

// stamp reads a record's timestamp: milliseconds, but seconds in old records (conda takes what is before the year 10000 in
// seconds for seconds).
func stamp(n int64) time.Time {
	if n <= 253402300799 {
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func clip(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// hostOf is what may be shown of an address that may hold a password.
func hostOf(text string) string {
	if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "an unreadable place"
}
