package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

const (
	everything = "*"
	// condaDefaults is conda's name for channels of a company whose terms many sites may not accept.
	condaDefaults = "defaults"
)

// Defaults are the channels for specs that name none, as the site calls them. What r denies is not among them.
func (r Rules) Defaults() []string {
	if len(r.DefaultChannels) == 0 {
		return r.open([]string{"conda-forge"})
	}
	return r.open(r.DefaultChannels)
}

// allowed are the channels that r allows, names, addresses or "*". What r denies is not among them: whoever reads what is allowed
// is to learn of no channel that is closed to them.
func (r Rules) allowed() []string {
	if r.AllowedChannels != nil {
		return r.open(r.AllowedChannels)
	}
	return r.open(slices.Concat(r.Defaults(), slices.Sorted(maps.Keys(r.ChannelURLs))))
}

// open are those of channels that r does not deny.
func (r Rules) open(channels []string) []string {
	return slices.DeleteFunc(slices.Clone(channels), r.denies)
}

// denies says whether r denies a channel, whatever else allows it.
func (r Rules) denies(channel string) bool {
	return slices.ContainsFunc(r.DeniedChannels, func(entry string) bool { return r.covers(entry, channel) })
}

// Unresolved are the names of channels in r's rules whose addresses r does not know.
func (r Rules) Unresolved() []string {
	var names []string
	for _, name := range slices.Concat(r.allowed(), r.DeniedChannels) {
		if _, known := r.resolve(name); !known && name != everything && !strings.Contains(name, "://") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// knowing is r with the addresses of names that it does not know itself.
func (r Rules) knowing(addresses map[string]string) Rules {
	r.AllowedChannels = r.allowed()
	urls := maps.Clone(r.ChannelURLs)
	for _, name := range r.Unresolved() {
		if addresses[name] != "" {
			if urls == nil {
				urls = map[string]string{}
			}
			urls[name] = addresses[name]
		}
	}
	r.ChannelURLs = urls
	return r
}

// indexes are the package indexes that r allows; empty means the tool's own.
func (r Rules) indexes() []string {
	if r.AllowedIndexes != nil {
		return r.AllowedIndexes
	}
	if r.Index != "" {
		return []string{r.Index}
	}
	return nil
}

// resolve gives the address of a channel, if r knows it.
func (r Rules) resolve(channel string) (address, bool) {
	if strings.Contains(channel, "://") {
		a, err := parseAddress(channel)
		return a, err == nil
	}
	name, rest, labelled := strings.Cut(channel, "/")
	base, known := r.ChannelURLs[channel]
	var below []string
	switch {
	case known:
	case labelled && r.ChannelURLs[name] != "":
		base, below = r.ChannelURLs[name], strings.Split(rest, "/")
	case r.ChannelAlias != "":
		base, below = r.ChannelAlias, strings.Split(channel, "/")
	default:
		return address{}, false
	}
	a, err := parseAddress(base)
	if err != nil || slices.ContainsFunc(below, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return address{}, false
	}
	return a.child(below...), true
}

// Name is what r calls the channel of an address: the reverse of how names get addresses. What r has no name for stays as it is.
func (r Rules) Name(channel string) string {
	at, err := parseAddress(channel)
	if err != nil {
		return channel
	}
	name, depth := channel, -1
	below := func(base string, prefix ...string) {
		a, err := parseAddress(base)
		if err == nil && a.covers(at) && len(a.path) > depth && len(prefix)+len(at.path) > len(a.path) {
			name, depth = strings.Join(slices.Concat(prefix, at.path[len(a.path):]), "/"), len(a.path)
		}
	}
	for _, known := range slices.Sorted(maps.Keys(r.ChannelURLs)) {
		below(r.ChannelURLs[known], known)
	}
	if r.ChannelAlias != "" {
		below(r.ChannelAlias)
	}
	return name
}

// covers says whether an entry of a list of channels means a channel or one that it is part of.
func (r Rules) covers(entry, channel string) bool {
	if channel == condaDefaults || entry == condaDefaults || channel == everything {
		return entry == channel
	}
	if entry == everything {
		return true
	}
	a, known := r.resolve(entry)
	b, knownToo := r.resolve(channel)
	if known && knownToo {
		return a.covers(b)
	}
	return !known && !knownToo && (entry == channel || strings.HasPrefix(channel, entry+"/"))
}

// channelRule names the rule that refuses a channel; empty if none does.
func (r Rules) channelRule(channel string) string {
	if r.denies(channel) {
		return "denied_channels: " + channel
	}
	if !slices.ContainsFunc(r.allowed(), func(entry string) bool { return r.covers(entry, channel) }) {
		return "allowed_channels"
	}
	return ""
}

// Channels are the channels to solve s with, in order: addresses where r knows them, else names. Denied ones are left out, and
// conda's "defaults" where r does not name it; which of the others are allowed, CheckSpec tells.
func (r Rules) Channels(s *spec.Spec) []string {
	names := s.Channels
	if len(names) == 0 {
		names = r.Defaults()
	}
	var all []string
	for _, name := range r.open(names) {
		if name == condaDefaults && r.channelRule(name) != "" {
			continue
		}
		if a, known := r.resolve(name); known && name != condaDefaults {
			name = a.String()
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// For gives the rules for one project: private channels that it has no part in are denied. "" is a project without any.
func (r Rules) For(project string) Rules {
	r.DeniedChannels = slices.Clone(r.DeniedChannels)
	for _, name := range slices.Sorted(maps.Keys(r.PrivateChannels)) {
		if !r.member(name, project) {
			r.DeniedChannels = append(r.DeniedChannels, name)
		}
	}
	return r
}

func (r Rules) member(private, project string) bool {
	members := r.PrivateChannels[private]
	return slices.Contains(members, project) || slices.Contains(members, everything)
}

// Shown gives the rules for one project as its people may read them: private channels of others are not in them, by no name and no
// address, and of its own ones not who else has them. What it gives is for reading: to check with it would allow too much.
func (r Rules) Shown(project string) Rules {
	var hidden []string
	own := map[string][]string{}
	for name := range r.PrivateChannels {
		if r.member(name, project) {
			own[name] = []string{project}
		} else {
			hidden = append(hidden, name)
		}
	}
	secret := func(channel string) bool {
		return slices.ContainsFunc(hidden, func(private string) bool { return r.covers(private, channel) })
	}
	shown := r
	for _, list := range []*[]string{&shown.DefaultChannels, &shown.AllowedChannels, &shown.DeniedChannels} {
		*list = slices.DeleteFunc(slices.Clone(*list), secret)
	}
	shown.ChannelURLs = maps.Clone(r.ChannelURLs)
	maps.DeleteFunc(shown.ChannelURLs, func(name, _ string) bool { return secret(name) })
	shown.PrivateChannels = own
	return shown
}

// Domain is who may share the build of l: empty for all, else the names of the private channels that it has artifacts of,
// joined by "+".
func (r Rules) Domain(l *lock.Lock) string {
	if len(r.PrivateChannels) == 0 {
		return ""
	}
	var names []string
	all := addresses(l)
	for _, name := range slices.Sorted(maps.Keys(r.PrivateChannels)) {
		if slices.ContainsFunc(all, r.place(name, l)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// place gives the test for addresses that lie in a channel. Where a denied or private channel has no known address, all that
// ends with its name is taken for it.
func (r Rules) place(channel string, l *lock.Lock) func(address) bool {
	if channel == everything {
		return func(address) bool { return true }
	}
	if a, known := r.resolve(channel); known {
		return a.covers
	}
	var bases []address
	for _, text := range l.Channels {
		if a, err := parseAddress(text); err == nil && endsWith(a, channel) {
			bases = append(bases, a)
		}
	}
	return func(b address) bool {
		inBase := slices.ContainsFunc(bases, func(a address) bool { return a.covers(b) })
		parent := b
		parent.path = b.path[:max(0, len(b.path)-2)] // a channel has folders, which have files
		return inBase || endsWith(parent, channel)
	}
}

func endsWith(a address, channel string) bool {
	name := strings.Split(channel, "/")
	return len(a.path) >= len(name) && slices.Equal(a.path[len(a.path)-len(name):], name)
}

// addresses are all addresses in l that can be compared.
func addresses(l *lock.Lock) []address {
	texts := slices.Concat(l.Channels, l.Indexes)
	for _, p := range l.Packages {
		texts = append(texts, p.URL)
	}
	for _, w := range l.Wheels {
		texts = append(texts, w.URL)
	}
	var all []address
	places := folders{}
	for _, text := range texts {
		if a, err := places.parse(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}
