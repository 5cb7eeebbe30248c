// Package policy says what environments may be made of: channels, indexes, packages, licences, age and size. A site has rules,
// and a project may tighten them.
package policy

import (
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
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

// Duration is a time.Duration that is written "72h" or "3d".
type Duration struct{ time.Duration }

// Size is a number of bytes that is written as a number or as "20GB" (powers of 1000) or "20GiB" (of 1024).
type Size int64

// Validate reports all mistakes in r, each with the name of its rule.
func (r Rules) Validate() error { return nil }

// Merge gives the rules of a project on a site: what the project says can only tighten what the site says.
func Merge(site, project Rules) Rules { return site }

// For gives the rules for one project: private channels that it has no part in are denied.
func (r Rules) For(project string) Rules { return r }

// Channels are the channels to solve s with: addresses where r knows them, else names.
func (r Rules) Channels(s *spec.Spec) []string { return nil }

// CheckSpec tells what r has against s. Empty means that it is allowed.
func (r Rules) CheckSpec(s *spec.Spec) []driver.Failure { return nil }

// CheckLock tells what r has against l at a moment. Empty means that it is allowed.
func (r Rules) CheckLock(l *lock.Lock, now time.Time) []driver.Failure { return nil }

// CheckHashes tells which wheels of l are not the ones that s allows by their hashes.
func CheckHashes(s *spec.Spec, l *lock.Lock) []driver.Failure { return nil }

// Domain is who may share the build of l: empty for all, else the names of the private channels in it.
func (r Rules) Domain(l *lock.Lock) string { return "" }

// Describe tells the rules in sentences for people.
func (r Rules) Describe() []string { return nil }
