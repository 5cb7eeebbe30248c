package policy

import "slices"

// Merge gives the rules of a project on a site: what the project says can only tighten what the site says. Addresses, the alias
// and private channels are the site's alone, because whoever names addresses decides what a name means.
//
// After merging, the lists of what is allowed are always said, and empty ones mean nothing.
func Merge(site, project Rules) Rules {
	r := site
	r.AllowedChannels = mergeChannels(site, project)
	r.DeniedChannels = union(site.DeniedChannels, project.DeniedChannels)
	r.DefaultChannels = mergeDefaults(r, site, project)
	r.mergeIndexes(site, project)
	r.DenyPackages = union(site.DenyPackages, project.DenyPackages)
	r.DenyLicenses = union(site.DenyLicenses, project.DenyLicenses)
	r.DenyUnknownLicenses = site.DenyUnknownLicenses || project.DenyUnknownLicenses
	r.DenyUnknownAge = site.DenyUnknownAge || project.DenyUnknownAge
	r.MinimumAge = longer(site.MinimumAge, project.MinimumAge)
	r.MaxPackages = least(site.MaxPackages, project.MaxPackages)
	r.MaxArtifactBytes = least(site.MaxArtifactBytes, project.MaxArtifactBytes)
	r.MaxEnvironments = least(site.MaxEnvironments, project.MaxEnvironments)
	return r
}

// Ignored names the rules of an environment's project that Merge would take no notice of: they are the site's alone, or say nothing
// beside what the site says.
func Ignored(site, project Rules) []string {
	var names []string
	for _, rule := range []struct {
		name string
		said bool
	}{
		{"channel_urls", len(project.ChannelURLs) > 0},
		{"channel_alias", project.ChannelAlias != ""},
		{"private_channels", len(project.PrivateChannels) > 0},
		{"allowed_channels: *", slices.Contains(project.AllowedChannels, everything)},
		{"index", project.Index != "" && !allowsIndex(site.indexes(), project.Index)},
		{"allowed_indexes", project.AllowedIndexes != nil && site.indexes() == nil},
		{"max_environments", project.MaxEnvironments != 0},
	} {
		if rule.said {
			names = append(names, rule.name)
		}
	}
	return names
}

// mergeChannels gives what both sides allow, written as the narrower one does.
func mergeChannels(site, project Rules) []string {
	if project.AllowedChannels == nil {
		return slices.Clone(site.allowed())
	}
	return common(site.allowed(), project.AllowedChannels, site.covers)
}

// mergeDefaults gives the project's channels as far as they are allowed; where nothing is left, the site's, and then all that
// are allowed.
func mergeDefaults(merged, site, project Rules) []string {
	for _, list := range [][]string{project.DefaultChannels, site.Defaults(), merged.AllowedChannels} {
		var kept []string
		for _, channel := range list {
			if channel != everything && merged.channelRule(channel) == "" {
				kept = append(kept, channel)
			}
		}
		if len(kept) > 0 {
			return kept
		}
	}
	return site.DefaultChannels
}

func (r *Rules) mergeIndexes(site, project Rules) {
	if site.indexes() != nil && project.AllowedIndexes != nil {
		r.AllowedIndexes = common(site.indexes(), project.AllowedIndexes, func(a, b string) bool {
			return allowsIndex([]string{a}, b)
		})
	}
	if project.Index != "" && allowsIndex(r.indexes(), project.Index) {
		if r.AllowedIndexes == nil {
			r.AllowedIndexes = site.indexes()
		}
		r.Index = project.Index
	} else if len(r.AllowedIndexes) > 0 && r.AllowedIndexes[0] != everything && !allowsIndex(r.AllowedIndexes, r.Index) {
		r.Index = r.AllowedIndexes[0]
	}
	switch {
	case project.WheelHosts == nil:
	case site.WheelHosts != nil:
		r.WheelHosts = common(site.WheelHosts, project.WheelHosts, sameHost)
	case !site.restricted(): // the site takes files of any host
		r.WheelHosts = project.WheelHosts
	}
}

// common gives what both lists allow: of two entries of which one covers the other, the narrower one. It is never nil.
func common(site, project []string, covers func(wide, narrow string) bool) []string {
	both := []string{}
	add := func(entry string) {
		if !slices.Contains(both, entry) {
			both = append(both, entry)
		}
	}
	for _, mine := range project {
		for _, theirs := range site {
			switch {
			case covers(theirs, mine):
				add(mine)
			case covers(mine, theirs):
				add(theirs)
			}
		}
	}
	return both
}

func union(a, b []string) []string {
	var all []string
	for _, entry := range slices.Concat(a, b) {
		if !slices.Contains(all, entry) {
			all = append(all, entry)
		}
	}
	return all
}

// least is the smaller limit; 0 means none.
func least[N ~int | ~int64](a, b N) N {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func longer(a, b Duration) Duration {
	if b.Duration > a.Duration {
		return b
	}
	return a
}
