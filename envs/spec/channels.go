package spec

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var channelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)

func (r *reader) channels(n *yaml.Node) {
	for _, entry := range r.list(n, "channels") {
		if !r.applies(entry) || entry.Kind == yaml.AliasNode {
			continue
		}
		name := strings.TrimSpace(entry.Value)
		switch {
		case entry.Kind != yaml.ScalarNode || isNull(entry):
			r.wrong(entry, 0, "a channel must be a name or an address; this is %s", kindOf(entry))
		case name == "nodefaults":
			r.spec.NoDefaults = true
		case channelMistake(name) != "":
			r.wrong(entry, 0, "%s", channelMistake(name))
		case !slices.Contains(r.spec.Channels, name):
			r.spec.Channels = append(r.spec.Channels, name)
		}
	}
	if r.spec.NoDefaults && len(r.spec.Channels) == 0 {
		r.wrong(n, 0, "nodefaults alone leaves no channel to take packages from: name one, such as conda-forge")
	}
}

// channelMistake says in a sentence what is wrong with the name or address of a channel; empty if nothing is.
func channelMistake(channel string) string {
	if !strings.Contains(channel, "://") {
		if !channelName.MatchString(channel) {
			return "a channel is a name such as conda-forge, or an address that begins with https:// or file://"
		}
		return ""
	}
	u, err := url.Parse(channel)
	switch {
	case err != nil:
		return "this is no address of a channel: write it like https://host/name"
	case u.User != nil || strings.HasPrefix(u.Path, "/t/"):
		return "an address may hold no password or token, because people see this file: the site keeps credentials apart"
	case u.RawQuery != "" || u.Fragment != "":
		return "the address of a channel has no part after ? or #"
	case u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return ""
	case (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "":
		return ""
	}
	return "the address of a channel begins with https://, http:// or file:///"
}
