package uv

import (
	"errors"
	"fmt"
	"net/url"
)

// cleanAddress is an http, https or file address without user, password and fragment.
func cleanAddress(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("not an address") // url's own error repeats it, credentials and all
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return "", errors.New("address without a host")
		}
	case "file":
	default:
		return "", fmt.Errorf("address of the kind %q", u.Scheme)
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String(), nil
}
