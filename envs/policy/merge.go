package policy

import (
	"errors"
	"fmt"
	"slices"
)

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

// Ignored reports, joined and each a *Mistake, what Merge would take no notice of in the rules of an environment's project: it is the
// site's alone, or says nothing beside what the site says.
func Ignored(site, project Rules) error {
	var errs []error
	ignored := func(rule string, is bool, format string, args ...any) {
		if is {
			errs = append(errs, &Mistake{rule, fmt.Errorf(format, args...)})
		}
	}
	const alone = "only who runs the site can say this"
	ignored("channel_urls", len(project.ChannelURLs) > 0, alone)
	ignored("channel_alias", project.ChannelAlias != "", alone)
	ignored("private_channels", len(project.PrivateChannels) > 0, alone)
	ignored("max_environments", project.MaxEnvironments != 0, alone)
	for _, channel := range project.AllowedChannels {
		if channel == everything {
			ignored("allowed_channels", true, "* allows nothing that the site does not allow: leave it out")
			continue
		}
		ignored("allowed_channels", len(common(site.allowed(), []string{channel}, site.covers)) == 0,
			"%s is not allowed on this site: take %s", channel, list(site.allowed()))
	}
	ignored("index", project.Index != "" && !allowsIndex(site.indexes(), project.Index), "%s is not allowed on this site", project.Index)
	if project.AllowedIndexes != nil && site.indexes() == nil {
		ignored("allowed_indexes", true, "the site names no index to choose from: leave it out")
		return errors.Join(errs...)
	}
	for _, index := range project.AllowedIndexes {
		ignored("allowed_indexes", len(common(site.indexes(), []string{index}, coversIndex)) == 0,
			"%s is not allowed on this site: take %s", index, list(site.indexes()))
	}
	return errors.Join(errs...)
}

// coversIndex says whether an allowed index allows another.
func coversIndex(wide, narrow string) bool { return allowsIndex([]string{wide}, narrow) }

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
		r.AllowedIndexes = common(site.indexes(), project.AllowedIndexes, coversIndex)
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
