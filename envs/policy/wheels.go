package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopyard/hopyard/envs/lock"
)

// isSHA256 says whether a text is a hash in the one form in which it is compared.
func isSHA256(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

// wheels checks where wheels come from. Their files are often on another host than the pages of their index, which is why a
// hash is needed: it comes from the index, which is the only one that the solver asks.
func (c *checker) wheels(r Rules, l *lock.Lock) {
	places := folders{}
	for _, w := range l.Wheels {
		if !isSHA256(w.SHA256) {
			c.refuse("hashes", w.Name, "the lock has no SHA-256 of %s, so that its file cannot be checked: solve again", w.Name)
			continue
		}
		if w.URL == "" {
			continue // taken from the index by name and hash
		}
		a, err := places.parse(w.URL)
		if err == nil && (len(a.path) == 0 || !strings.HasSuffix(a.path[len(a.path)-1], ".whl")) {
			err = fmt.Errorf("it is no wheel")
		}
		if err != nil {
			c.refuse("urls", w.Name, "the address of %s on %s is refused: %s", w.Name, hostOf(w.URL), err)
			continue
		}
		c.wheelHost(r, l, w, a)
	}
}

func (c *checker) wheelHost(r Rules, l *lock.Lock, w lock.Wheel, a address) {
	for _, entry := range r.DeniedChannels {
		if base, known := r.resolve(entry); known && base.covers(a) {
			c.refuse("denied_channels: "+entry, w.Name, "%s comes from %s, which is closed to this project", w.Name, entry)
			return
		}
	}
	if r.allowsWheel(a, l.Indexes) {
		return
	}
	rule, named := "allowed_indexes", r.indexes()
	if r.Index == "" && r.AllowedIndexes == nil {
		rule, named = "wheel_hosts", r.WheelHosts
	}
	if !r.restricted() && a.internal() {
		c.refuse("urls", w.Name, "%s comes from %s, inside of this network: ask who runs the site to add that host to wheel_hosts", w.Name, a.origin())
		return
	}
	if !r.restricted() {
		c.refuse("urls", w.Name, "%s comes from %s without encryption: use an index that speaks https", w.Name, a.origin())
		return
	}
	c.refuse(rule, w.Name, "%s comes from %s, and allowed are %s: solve again, or ask who runs the site to add that host to wheel_hosts",
		w.Name, a.origin(), list(named))
}

// restricted says whether r names indexes or hosts of wheels.
func (r Rules) restricted() bool {
	return r.Index != "" || r.AllowedIndexes != nil || r.WheelHosts != nil
}

// allowsWheel says whether a wheel may come from a, where used are the indexes that it was solved with.
func (r Rules) allowsWheel(a address, used []string) bool {
	below := func(index string) bool {
		base, err := parseAddress(index)
		if err != nil {
			return false
		}
		return base.above(a) || base.scheme != "file" && base.sameOrigin(a)
	}
	public := a.public()
	if !r.restricted() {
		return public || slices.ContainsFunc(used, below)
	}
	if slices.Contains(r.AllowedIndexes, everything) {
		return public || slices.ContainsFunc(used, below) || slices.ContainsFunc(r.indexes(), below)
	}
	secure := a.scheme == "https" || a.local()
	if secure && slices.ContainsFunc(r.WheelHosts, func(host string) bool { return sameHost(host, a.host) }) {
		return true
	}
	return slices.ContainsFunc(r.indexes(), below)
}

// allowsIndex says whether a list of indexes has one. "*" is every one of the Internet, spoken to by https; others are named.
func allowsIndex(allowed []string, index string) bool {
	a, err := parseAddress(index)
	return slices.ContainsFunc(allowed, func(entry string) bool {
		if entry == index {
			return true
		}
		if entry == everything {
			return err == nil && a.public()
		}
		b, errB := parseAddress(entry)
		return err == nil && errB == nil && b.covers(a)
	})
}

// sameHost compares two hosts as configured, with the usual port of https left out.
func sameHost(a, b string) bool {
	x, errX := parseAddress("https://" + a)
	y, errY := parseAddress("https://" + b)
	return errX == nil && errY == nil && x.host == y.host
}
