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

// defaults are the channels for specs that name none.
func (r Rules) defaults() []string {
	if len(r.DefaultChannels) == 0 {
		return []string{"conda-forge"}
	}
	return r.DefaultChannels
}

// allowed are the channels that r allows, names, addresses or "*".
func (r Rules) allowed() []string {
	if r.AllowedChannels != nil {
		return r.AllowedChannels
	}
	return slices.Concat(r.defaults(), slices.Sorted(maps.Keys(r.ChannelURLs)))
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
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(entry string) bool { return r.covers(entry, channel) })
	}
	switch {
	case has(r.DeniedChannels):
		return "denied_channels: " + channel
	case !has(r.allowed()):
		return "allowed_channels"
	}
	return ""
}

// Channels are the channels to solve s with, in order: addresses where r knows them, else names. Which of them are allowed,
// CheckSpec tells; conda's "defaults" is left out where r does not name it.
func (r Rules) Channels(s *spec.Spec) []string {
	names := s.Channels
	if len(names) == 0 {
		names = r.defaults()
	}
	var all []string
	for _, name := range names {
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

// For gives the rules for one project: private channels that it has no part in are denied.
func (r Rules) For(project string) Rules {
	r.DeniedChannels = slices.Clone(r.DeniedChannels)
	for _, name := range slices.Sorted(maps.Keys(r.PrivateChannels)) {
		members := r.PrivateChannels[name]
		if !slices.Contains(members, project) && !slices.Contains(members, everything) {
			r.DeniedChannels = append(r.DeniedChannels, name)
		}
	}
	return r
}

// Domain is who may share the build of l: empty for all, else the names of the private channels that it has artifacts of,
// joined by "+".
func (r Rules) Domain(l *lock.Lock) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.PrivateChannels)) {
		in := r.place(name, l)
		if slices.ContainsFunc(addresses(l), in) {
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
	for _, text := range texts {
		if a, err := parseAddress(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}
