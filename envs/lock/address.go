package lock

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// tokenPath is a credential in a path, as servers of conda channels take it: /t/TOKEN/. conda looks for it anywhere, too.
var tokenPath = regexp.MustCompile(`/t/[^/]+(/|$)`)

func hasToken(u *url.URL) bool { return u.Scheme != "file" && tokenPath.MatchString(u.Path) }

// checkAddress says what is wrong with the address of a channel, an index or an artifact. It never quotes a credential.
func checkAddress(address string) error {
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#") || hasToken(u) {
		return errors.New("an address holds a user, a token, a query or a fragment; locks hold plain addresses")
	}
	if u.Scheme == "file" && !path.IsAbs(u.Path) {
		return errors.New("a file: address is not that of an absolute path")
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == ".." || part == "." {
			return errors.New("an address leads through “..” or “.”")
		}
	}
	return nil
}

func parseAddress(address string) (*url.URL, error) {
	if len(address) > maxAddress || !printable(address) {
		return nil, errors.New("an address is too long, or is not text")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("an address cannot be read") // the parser's words would quote it
	}
	hosted := (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
	if local := u.Scheme == "file" && u.Host == ""; !hosted && !local || u.Opaque != "" {
		return nil, errors.New("an address is none of https://, http:// and file:///")
	}
	return u, nil
}

// fileOf is the name of the file that an address leads to, and folderOf that of the folder that it is in.
func fileOf(address string) string   { return pathPart(address, 1) }
func folderOf(address string) string { return pathPart(address, 2) }

// pathPart is a part of an address's path, counted from its end; empty where there is none.
func pathPart(address string, fromEnd int) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	parts := strings.Split(u.Path, "/")
	if len(parts) < fromEnd {
		return ""
	}
	return parts[len(parts)-fromEnd]
}

// channelOf is the address of the channel that a package's address is in.
func channelOf(address string) string {
	for range 2 {
		address = address[:max(0, strings.LastIndexByte(address, '/'))]
	}
	return address
}
