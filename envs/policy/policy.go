// Package policy says what environments may be made of: channels, indexes, packages, licences, age and size. A site has rules,
// and a project may tighten them.
package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules are what a site or a project asks of its environments. The zero value is what a site has that says nothing. Rules are
// values: methods change nothing, and they are safe for concurrent use.
type Rules struct {
	// DefaultChannels are used by specs that name none; conda-forge where nothing is said.
	DefaultChannels []string `yaml:"channels" json:"channels,omitzero"`
	// ChannelURLs are the addresses of channels that are known by name.
	ChannelURLs map[string]string `yaml:"channel_urls" json:"channel_urls,omitempty"`
	// ChannelAlias is the address below which all other names of channels are. Empty means the solver's own.
	ChannelAlias string `yaml:"channel_alias" json:"channel_alias,omitempty"`
	// AllowedChannels are names and addresses, or "*"; where nothing is said, those of DefaultChannels and ChannelURLs.
	AllowedChannels []string `yaml:"allowed_channels" json:"allowed_channels,omitzero"`
	// DeniedChannels are names and addresses that are refused even if they are allowed.
	DeniedChannels []string `yaml:"denied_channels" json:"denied_channels,omitempty"`
	// PrivateChannels are names of channels and the projects that may use them. What comes from one is kept apart.
	PrivateChannels map[string][]string `yaml:"private_channels" json:"private_channels,omitempty"`
	// Index is the address of the package index for wheels. Empty means the tool's own.
	Index string `yaml:"index" json:"index,omitempty"`
	// AllowedIndexes are addresses of indexes; where nothing is said, Index alone.
	AllowedIndexes []string `yaml:"allowed_indexes" json:"allowed_indexes,omitzero"`
	// WheelHosts are hosts, with a port if it is not the usual one, that the allowed indexes keep their files on.
	WheelHosts []string `yaml:"wheel_hosts" json:"wheel_hosts,omitzero"`
	// DenyPackages are names or globs.
	DenyPackages []string `yaml:"deny_packages" json:"deny_packages,omitempty"`
	// DenyLicenses are SPDX identifiers or globs: "AGPL*".
	DenyLicenses []string `yaml:"deny_licenses" json:"deny_licenses,omitempty"`
	// DenyUnknownLicenses refuses packages that do not say their licence.
	DenyUnknownLicenses bool `yaml:"deny_unknown_licenses" json:"deny_unknown_licenses,omitempty"`
	// MinimumAge is how long ago a package must have been released.
	MinimumAge Duration `yaml:"minimum_age" json:"minimum_age,omitzero"`
	// DenyUnknownAge refuses packages that do not say when they were released, where there is a minimum age.
	DenyUnknownAge bool `yaml:"deny_unknown_age" json:"deny_unknown_age,omitempty"`
	// MaxPackages is how many packages an environment may have; 0 means any number.
	MaxPackages int `yaml:"max_packages" json:"max_packages,omitempty"`
	// MaxArtifactBytes is the size of all artifacts of an environment; 0 means any.
	MaxArtifactBytes Size `yaml:"max_artifact_bytes" json:"max_artifact_bytes,omitempty"`
	// MaxEnvironments is how many environments a project may have; 0 means any number.
	MaxEnvironments int `yaml:"max_environments" json:"max_environments,omitempty"`
}

// Mistake is what is wrong with one rule, so that people can be told where they wrote it.
type Mistake struct {
	Rule string // as in JSON
	Err  error
}

// Error names the rule and says what is wrong.
func (m *Mistake) Error() string { return m.Rule + ": " + m.Err.Error() }

// Unwrap gives what is wrong.
func (m *Mistake) Unwrap() error { return m.Err }

// Validate reports all mistakes in r, joined, each a *Mistake.
func (r Rules) Validate() error {
	var errs []error
	wrong := func(rule, format string, args ...any) {
		errs = append(errs, &Mistake{rule, fmt.Errorf(format, args...)})
	}
	r.validateChannels(wrong)
	r.validateIndexes(wrong)
	for rule, patterns := range map[string][]string{"deny_packages": r.DenyPackages, "deny_licenses": r.DenyLicenses} {
		for _, pattern := range patterns {
			if strings.Trim(pattern, "*? ") == "" {
				wrong(rule, "%q would refuse everything", pattern)
			}
		}
	}
	for rule, n := range map[string]int64{
		"max_packages": int64(r.MaxPackages), "max_artifact_bytes": int64(r.MaxArtifactBytes),
		"max_environments": int64(r.MaxEnvironments), "minimum_age": int64(r.MinimumAge.Duration),
	} {
		if n < 0 {
			wrong(rule, "it cannot be negative")
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (r Rules) validateChannels(wrong func(rule, format string, args ...any)) {
	for rule, list := range map[string][]string{
		"channels": r.DefaultChannels, "allowed_channels": r.AllowedChannels, "denied_channels": r.DeniedChannels,
		"private_channels": slices.Collect(maps.Keys(r.PrivateChannels)),
	} {
		for _, channel := range list {
			switch {
			case channel == everything && (rule == "allowed_channels" || rule == "denied_channels"):
			case strings.Contains(channel, "://"):
				if _, err := parseAddress(channel); err != nil {
					wrong(rule, "the address on %s cannot be used: %w", hostOf(channel), err)
				}
			case channel == "" || channel == everything || strings.ContainsAny(channel, " \\:?#@"):
				wrong(rule, "%q is neither the name of a channel nor an address", channel)
			}
		}
	}
	for name, text := range r.ChannelURLs {
		if _, err := parseAddress(text); err != nil {
			wrong("channel_urls", "%s: the address cannot be used: %w", name, err)
		}
		if name == "" || name == everything || name == condaDefaults || strings.ContainsAny(name, " \\:?#@/") {
			wrong("channel_urls", "%q cannot be the name of a channel with an address", name)
		}
	}
	if _, err := parseAddress(r.ChannelAlias); r.ChannelAlias != "" && err != nil {
		wrong("channel_alias", "the address cannot be used: %w", err)
	}
	for name := range r.PrivateChannels {
		if _, known := r.resolve(name); !known {
			wrong("private_channels", "%s: give its address in channel_urls, so that its packages can be told from others", name)
		}
	}
}

func (r Rules) validateIndexes(wrong func(rule, format string, args ...any)) {
	for rule, list := range map[string][]string{"index": {r.Index}, "allowed_indexes": r.AllowedIndexes} {
		for _, index := range list {
			if _, err := parseAddress(index); index != "" && index != everything && err != nil {
				wrong(rule, "the address on %s cannot be used: %w; credentials belong into the credentials file", hostOf(index), err)
			}
		}
	}
	if r.Index == everything {
		wrong("index", "* is no address")
	}
	if r.Index == "" && len(r.AllowedIndexes) > 0 && !slices.Contains(r.AllowedIndexes, everything) {
		wrong("index", "name the one of allowed_indexes to use")
	}
	if r.Index != "" && r.AllowedIndexes != nil && !slices.Contains(r.AllowedIndexes, everything) && !allowsIndex(r.AllowedIndexes, r.Index) {
		wrong("index", "it is not one of allowed_indexes")
	}
	for _, host := range r.WheelHosts {
		if a, err := parseAddress("https://" + host); err != nil || len(a.path) > 0 {
			wrong("wheel_hosts", "%q is no host, such as files.example.org or files.example.org:8443", host)
		}
	}
}
