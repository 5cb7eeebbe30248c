package fetch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hopyard/hopyard/envs/driver"
)

// Credentials are what an auth file holds for hosts, in the form of RATTLER_AUTH_FILE. They must never be printed.
type Credentials map[string]credential

type credential struct {
	BasicHTTP *struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	BearerToken string
	// CondaToken stands in the path of a channel's addresses.
	CondaToken string
}

// String keeps secrets out of formatted text, whatever the verb's author had in mind.
func (c Credentials) String() string { return fmt.Sprintf("credentials of %d hosts", len(c)) }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// ReadCredentials reads an auth file, which is none where its name is empty. Who fetches reads it anew each time, because people rotate
// what is in it.
func ReadCredentials(file string) (Credentials, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &driver.Failure{Cause: driver.AuthFailed, Message: "the file of credentials cannot be read: " + file, Err: err}
	}
	var c Credentials
	if err := json.Unmarshal(text, &c); err != nil {
		// The error's words may hold a piece of the file.
		return nil, driver.Failf(driver.AuthFailed, "the file of credentials is not JSON of the form {\"host\": {\"BasicHTTP\": {…}}}: %s", file)
	}
	return c, nil
}

// of finds what is for an address: for its host with port, its host, or a pattern "*.example.com" over it, the longest first.
func (c Credentials) of(address *url.URL) (credential, bool) {
	host := address.Hostname()
	names := []string{address.Host, host}
	for rest := host; ; {
		_, after, found := strings.Cut(rest, ".")
		if !found {
			break
		}
		names = append(names, "*."+after)
		rest = after
	}
	for _, name := range names {
		if found, ok := c[name]; ok {
			return found, found.BasicHTTP != nil || found.BearerToken != ""
		}
	}
	return credential{}, false
}

// Authorize adds what is for the request's host.
func (c Credentials) Authorize(req *http.Request) {
	found, ok := c.of(req.URL)
	switch {
	case !ok:
	case found.BearerToken != "":
		req.Header.Set("Authorization", "Bearer "+found.BearerToken)
	default:
		req.SetBasicAuth(found.BasicHTTP.Username, found.BasicHTTP.Password)
	}
}

// authorizeChannel is Authorize for a conda channel, which may have its token in the path.
func (c Credentials) authorizeChannel(req *http.Request) {
	found, ok := c.of(req.URL)
	if ok || found.CondaToken == "" {
		c.Authorize(req)
		return
	}
	with := *req.URL
	with.Path, with.RawPath = "/t/"+found.CondaToken+with.Path, ""
	req.URL = &with
}

// Netrc gives all of it in netrc's form, and what a pattern says for the index. Ports are not part of that form. A token goes
// as the password of "__token__", which is what package indexes take.
func (c Credentials) Netrc(index string) (string, error) {
	machines := map[string]credential{}
	if address, err := url.Parse(index); err == nil && address.Host != "" {
		if found, ok := c.of(address); ok {
			machines[address.Hostname()] = found
		}
	}
	for host, found := range c {
		name, _, _ := strings.Cut(host, ":")
		if _, have := machines[name]; !have && !strings.Contains(host, "*") {
			machines[name] = found
		}
	}
	var text strings.Builder
	for name, found := range machines {
		user, password := "__token__", found.BearerToken
		if found.BasicHTTP != nil {
			user, password = found.BasicHTTP.Username, found.BasicHTTP.Password
		}
		if password == "" && user == "__token__" {
			continue
		}
		if strings.ContainsAny(name+user+password, "\x00\r\n") || strings.ContainsAny(name, " \t\"\\") {
			return "", driver.Failf(driver.AuthFailed, "the file of credentials has a line break or an odd host for one of its entries")
		}
		fmt.Fprintf(&text, "machine %s\nlogin %s\npassword %s\n", name, quoted(user), quoted(password))
	}
	return text.String(), nil
}

func quoted(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// Secrets are all words that must not be seen.
func (c Credentials) Secrets() []string {
	var words []string
	for _, found := range c {
		if found.BasicHTTP != nil && found.BasicHTTP.Password != "" {
			words = append(words, found.BasicHTTP.Password, url.QueryEscape(found.BasicHTTP.Password), url.PathEscape(found.BasicHTTP.Password))
		}
		if found.BearerToken != "" {
			words = append(words, found.BearerToken)
		}
		if found.CondaToken != "" {
			words = append(words, found.CondaToken)
		}
	}
	return words
}
