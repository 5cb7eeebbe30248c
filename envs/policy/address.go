package policy

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/internal/egress"
)

// address is a URL in the one form in which two of them can be compared: lower-case scheme and host, the port only where it is
// not the usual one, and the path decoded in its segments. What could be read in two ways is no address.
type address struct {
	scheme, host string
	path         []string
}

var (
	errAddress     = errors.New("it is not written as a plain address: scheme, host and path, without detours")
	errCredentials = errors.New("it carries a password or a token, which may not stand in an address")
)

func parseAddress(text string) (address, error) {
	if strings.ContainsAny(text, "\\\t\r\n ") || strings.ContainsAny(text, "?#") {
		return address{}, errAddress
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return address{}, errAddress
	}
	if u.User != nil {
		return address{}, errCredentials
	}
	a := address{scheme: strings.ToLower(u.Scheme)}
	if a.host, err = plainHost(a.scheme, u); err != nil {
		return address{}, err
	}
	if a.path, err = segments(u.EscapedPath()); err != nil {
		return address{}, err
	}
	if a.tokened() {
		return address{}, errCredentials
	}
	return a, nil
}

// tokened says whether a has conda's /t/<token>/channel in it.
func (a address) tokened() bool { return len(a.path) >= 2 && a.path[0] == "t" && a.scheme != "file" }

// folders reads addresses as parseAddress does. Those of a lock lie in a few folders, each of which is read once.
type folders map[string]address

func (f folders) parse(text string) (address, error) {
	end := strings.LastIndexByte(text, '/') + 1
	folder, known := f[text[:end]]
	if !known {
		folder, _ = parseAddress(text[:end]) // the zero one stands for all that is no folder
		f[text[:end]] = folder
	}
	if len(folder.path) == 0 || !plainSegment(text[end:]) {
		return parseAddress(text)
	}
	a := folder.child(text[end:])
	if a.tokened() {
		return address{}, errCredentials
	}
	return a, nil
}

// plainSegment says whether a part of a path means nothing but what it says.
func plainSegment(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-' && c != '_' && c != '+' {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

func plainHost(scheme string, u *url.URL) (string, error) {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
			return "", errAddress
		}
		return "", nil
	case "http", "https":
	default:
		return "", errAddress
	}
	wrong := func(c rune) bool {
		return c != '-' && c != '.' && c != ':' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '_'
	}
	if host == "" || strings.HasSuffix(host, ".") || strings.HasPrefix(host, ".") || strings.ContainsFunc(host, wrong) {
		return "", errAddress
	}
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return "", errAddress
		}
		host = "[" + ip.String() + "]"
	}
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "", errAddress
		}
		return host, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errAddress
	}
	if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return host, nil
	}
	return host + ":" + strconv.FormatUint(n, 10), nil
}

// segments decodes a path once. Segments that mean a detour, or would after decoding a second time, are refused.
func segments(path string) ([]string, error) {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil, nil
	}
	var all []string
	for part := range strings.SplitSeq(path, "/") {
		segment, err := url.PathUnescape(part)
		odd := func(c rune) bool { return c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == '%' }
		if err != nil || segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, odd) {
			return nil, errAddress
		}
		all = append(all, segment)
	}
	return all, nil
}

// covers says whether b is a or lies below it.
func (a address) covers(b address) bool {
	return a.sameOrigin(b) && len(b.path) >= len(a.path) && slices.Equal(a.path, b.path[:len(a.path)])
}

// above says whether b lies below a and is not a itself.
func (a address) above(b address) bool { return a.covers(b) && len(b.path) > len(a.path) }

func (a address) sameOrigin(b address) bool { return a.scheme == b.scheme && a.host == b.host }

// internal says whether a is written as a place on this host or in a network around it. What a host's name leads to is only known
// when it is asked.
func (a address) internal() bool {
	if a.local() {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(a.hostname(), "[]"))
	return strings.HasSuffix(a.hostname(), ".localhost") || err == nil && egress.Internal(ip)
}

// public says whether a is written as a place on the Internet that is spoken to by https.
func (a address) public() bool { return a.scheme == "https" && !a.internal() }

// hostname is the host without its port.
func (a address) hostname() string {
	if i := strings.LastIndexByte(a.host, ':'); i >= 0 && !strings.HasSuffix(a.host, "]") {
		return a.host[:i]
	}
	return a.host
}

// local says whether a is on this host: a file, or loopback.
func (a address) local() bool {
	if a.scheme == "file" {
		return true
	}
	host := a.hostname()
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// origin is where a is, without its path, for people.
func (a address) origin() string {
	if a.scheme == "file" {
		return "files of this host"
	}
	return a.scheme + "://" + a.host
}

// child is a with more segments.
func (a address) child(path ...string) address {
	return address{a.scheme, a.host, slices.Concat(a.path, path)}
}

func (a address) String() string {
	u := url.URL{Scheme: a.scheme, Host: a.host, Path: "/" + strings.Join(a.path, "/")}
	return u.String()
}
