package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Describe tells the rules in sentences for people, the most general first.
func (r Rules) Describe() []string {
	all := []string{r.describeChannels()}
	if len(r.DeniedChannels) > 0 {
		all = append(all, "Refused channels: "+list(r.DeniedChannels)+".")
	}
	for _, name := range slices.Sorted(maps.Keys(r.PrivateChannels)) {
		all = append(all, fmt.Sprintf("The channel %s is for the projects %s; what is built from it is not shared with others.", name, list(r.PrivateChannels[name])))
	}
	all = append(all, r.describeIndex())
	if len(r.DenyPackages) > 0 {
		all = append(all, "Refused packages: "+list(r.DenyPackages)+".")
	}
	if len(r.DenyLicenses) > 0 {
		all = append(all, "Refused licences: "+list(r.DenyLicenses)+"; of alternatives one must be left.")
	}
	if r.DenyUnknownLicenses {
		all = append(all, "Packages must say their licence.")
	}
	if r.MinimumAge.Duration > 0 {
		words := "Packages must have been released " + r.MinimumAge.String() + " ago or earlier."
		if r.DenyUnknownAge {
			words += " Those that do not say when are refused."
		}
		all = append(all, words)
	}
	return append(all, r.describeLimits()...)
}

func (r Rules) describeChannels() string {
	if slices.Contains(r.allowed(), everything) {
		return fmt.Sprintf("Conda packages come from any channel but %s, and from %s where environment.yml names none.", condaDefaults, list(r.Defaults()))
	}
	if len(r.allowed()) == 0 {
		return "No conda channel is allowed."
	}
	if allowed := list(unique(r.allowed())); allowed != list(r.Defaults()) {
		return fmt.Sprintf("Conda packages come from %s, and from %s where environment.yml names no channel.", allowed, list(r.Defaults()))
	}
	return fmt.Sprintf("Conda packages come from %s.", list(r.Defaults()))
}

func (r Rules) describeIndex() string {
	const wheels = "Python packages come as wheels, checked by their hashes, from "
	hosts := ""
	if len(r.WheelHosts) > 0 {
		hosts = "; their files lie there or on " + list(r.WheelHosts)
	}
	switch indexes := unique(r.indexes()); {
	case r.AllowedIndexes != nil && len(r.AllowedIndexes) == 0 && hosts == "":
		return "No package index is allowed."
	case slices.Contains(indexes, everything):
		return wheels + "any index" + hosts + "."
	case len(indexes) == 0:
		return wheels + "the public index" + hosts + "."
	default:
		return wheels + strings.Join(indexes, ", ") + hosts + "."
	}
}

func (r Rules) describeLimits() []string {
	var all []string
	if r.MaxPackages > 0 {
		all = append(all, fmt.Sprintf("An environment has at most %d packages.", r.MaxPackages))
	}
	if r.MaxArtifactBytes > 0 {
		all = append(all, fmt.Sprintf("The files of an environment's packages have at most %s together.", r.MaxArtifactBytes))
	}
	if r.MaxEnvironments > 0 {
		all = append(all, fmt.Sprintf("A project has at most %d environments.", r.MaxEnvironments))
	}
	return all
}

func unique(all []string) []string {
	return union(all, nil)
}
