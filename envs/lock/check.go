package lock

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of what a lock may hold.
const (
	maxArtifacts = 20_000
	maxAddress   = 2_000 // characters
	maxWord      = 500   // characters of a requirement, a licence …
	maxComplaint = 10    // complaints that Check makes of one lock
)

// What the words of a lock look like. CEP 26 and PEP 503 are stricter in places; what matters here is that no word can be taken
// for a path, an option or a second line.
var (
	platformForm = regexp.MustCompile(`^[a-z]{2,20}-[a-z0-9_]{2,20}$`)
	minorForm    = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
	versionForm  = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.+!~-]*$`)
	condaName    = regexp.MustCompile(`^[a-z0-9_][a-z0-9_.-]*$`)
	condaBuild   = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.+]*$`)
	wheelName    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	wheelFile    = regexp.MustCompile(`^([0-9A-Za-z][0-9A-Za-z_.]*)-([0-9A-Za-z][0-9A-Za-z_.+!]*)(-[0-9][0-9A-Za-z_.]*)?(-[0-9A-Za-z_.]+){3}\.whl$`)
)

// Check says what is wrong with a lock, several things at once; nil when it can be installed from as far as its words go.
// Encode does not check: whoever makes a lock of what came from outside does. The errors quote no credential.
func (l *Lock) Check() error {
	c := checker{}
	c.check(l.Version == FormatVersion, "the lock has version %d; this program reads version %d", l.Version, FormatVersion)
	c.check(len(l.Packages)+len(l.Wheels) <= maxArtifacts, "the lock has %d artifacts; at most %d are taken", len(l.Packages)+len(l.Wheels), maxArtifacts)
	c.check(platformForm.MatchString(l.Platform), "%q is no platform like linux-64", clip(l.Platform))
	c.check(l.Python == "" || minorForm.MatchString(l.Python), "%q is no minor version of Python like 3.11", clip(l.Python))
	c.checkKind(l)
	for _, address := range slices.Concat(l.Channels, l.Indexes) {
		c.checkError("channels and indexes", checkAddress(address))
	}
	c.checkWords("virtual packages", l.Virtual...)
	c.checkWords("solver", l.Solver)
	c.checkPackages(l)
	c.checkWheels(l)
	return c.err()
}

// checker collects complaints.
type checker struct {
	complaints []error
	more       int
}

func (c *checker) check(holds bool, format string, args ...any) {
	switch {
	case holds:
	case len(c.complaints) == maxComplaint:
		c.more++
	default:
		c.complaints = append(c.complaints, fmt.Errorf(format, args...))
	}
}

func (c *checker) checkError(of string, err error) { c.check(err == nil, "%s: %w", of, err) }

func (c *checker) checkWords(of string, words ...string) {
	for _, word := range words {
		c.check(len(word) <= maxWord && printable(word), "%s: %q is too long, or is not text", of, clip(word))
		c.check(!holdsCredential(word), "%s: an address holds a user or a token; locks hold plain addresses", of)
	}
}

func (c *checker) err() error {
	if c.more > 0 {
		c.complaints = append(c.complaints, fmt.Errorf("and %d more", c.more))
	}
	return errors.Join(c.complaints...)
}

func (c *checker) checkKind(l *Lock) {
	switch l.Kind {
	case Conda:
		c.check(l.Base == nil, "a lock of kind conda stands on no interpreter of the host")
	case Venv:
		c.check(len(l.Packages) == 0, "a lock of kind venv holds packages of conda channels")
		if l.Base != nil {
			c.check(path.IsAbs(l.Base.Path) && path.Clean(l.Base.Path) == l.Base.Path && printable(l.Base.Path), "%q is no absolute path of an interpreter", clip(l.Base.Path))
			c.check(fits(versionForm, l.Base.Version), "%q is no version of an interpreter", clip(l.Base.Version))
		}
	default:
		c.check(false, "%q is no kind of environment; there are conda and venv", clip(string(l.Kind)))
	}
}

func (c *checker) checkPackages(l *Lock) {
	seen := make(map[string]bool, len(l.Packages))
	for i := range l.Packages {
		p := &l.Packages[i]
		if seen[p.Name] {
			c.check(false, "package %s is there twice", clip(p.Name))
		}
		seen[p.Name] = true
		if p.Subdir != "noarch" && p.Subdir != l.Platform {
			c.check(false, "package %s is for %q, the lock for %q", clip(p.Name), clip(p.Subdir), clip(l.Platform))
		}
		if !p.vetted.fits(p) {
			c.checkPackage(p)
		}
	}
}

// checkPackage checks what can be said of a package without the lock that it is in.
func (c *checker) checkPackage(p *Package) {
	of := "package " + clip(p.Name)
	c.check(fits(condaName, p.Name), "%q is not the name of a package", clip(p.Name))
	c.check(fits(versionForm, p.Version), "%s has %q for a version", of, clip(p.Version))
	c.check(fits(condaBuild, p.Build), "%s has %q for a build", of, clip(p.Build))
	c.check(p.Noarch == "" || p.Noarch == "python" || p.Noarch == "generic", "%s is noarch of the kind %q", of, clip(p.Noarch))
	c.check(p.BuildNumber >= 0 && p.Timestamp >= 0, "%s has a negative build number or time", of)
	c.check(p.MD5 == "" || isHex(p.MD5, 32), "%s has an MD5 that is not 32 digits of lower-case hex", of)
	c.checkArtifact(of, p.URL, p.SHA256, p.Size)
	c.check(isFileOf(*p), "%s: its address does not end in its subdir and file name", of)
	c.checkWords(of, append(append([]string{p.License}, p.Depends...), p.Constrains...)...)
	c.checkError(of, checkRecord(*p))
}

func (c *checker) checkWheels(l *Lock) {
	seen := map[string]bool{}
	for _, w := range l.Wheels {
		of := "wheel " + clip(w.Name)
		c.check(!seen[w.Name], "%s is there twice", of)
		seen[w.Name] = true
		c.check(fits(wheelName, w.Name), "%q is not the normalised name of a wheel", clip(w.Name))
		c.check(fits(versionForm, w.Version), "%s has %q for a version", of, clip(w.Version))
		if w.URL == "" { // the index is asked for it
			c.checkContent(of, w.SHA256, w.Size)
		} else {
			c.checkArtifact(of, w.URL, w.SHA256, w.Size)
		}
		c.checkError(of, checkWheelFile(w))
		c.checkWords(of, append([]string{w.License}, w.Requires...)...)
		if w.Uploaded != "" {
			_, err := time.Parse(time.RFC3339, w.Uploaded)
			c.check(err == nil, "%s: %q is no time in the form of RFC 3339", of, clip(w.Uploaded))
		}
	}
}

func (c *checker) checkArtifact(of, address, hash string, size int64) {
	c.checkError(of, checkAddress(address))
	c.checkContent(of, hash, size)
}

func (c *checker) checkContent(of, hash string, size int64) {
	c.check(isHex(hash, 64), "%s has no SHA-256 of 64 digits of lower-case hex", of)
	c.check(size >= 0, "%s has a size of %d bytes", of, size)
}

// isFileOf reports whether a package's address ends in its subdir and the name of its file, so that what is shown is what is
// installed.
func isFileOf(p Package) bool {
	file := fileOf(p.URL)
	stem, ok := strings.CutSuffix(file, ".conda")
	if !ok {
		stem, ok = strings.CutSuffix(file, ".tar.bz2")
	}
	return ok && strings.EqualFold(stem, p.Name+"-"+p.Version+"-"+p.Build) && folderOf(p.URL) == p.Subdir
}

// checkWheelFile compares the name of a wheel's file (PEP 427) with what the lock says of it.
func checkWheelFile(w Wheel) error {
	parts := wheelFile.FindStringSubmatch(w.Filename)
	switch {
	case len(w.Filename) > 255 || parts == nil:
		return fmt.Errorf("%q is not the name of a wheel's file", clip(w.Filename))
	case NormalName(parts[1]) != w.Name:
		return fmt.Errorf("%s is a file of %s", w.Filename, NormalName(parts[1]))
	case CompareVersions(strings.ReplaceAll(parts[2], "_", "-"), w.Version) != 0:
		return fmt.Errorf("%s is not of version %s", w.Filename, clip(w.Version))
	case w.URL != "" && fileOf(w.URL) != w.Filename:
		return fmt.Errorf("its address does not end in %s", w.Filename)
	}
	return nil
}

var (
	separators = regexp.MustCompile(`[-_.]+`)
	credential = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s/"]*@|https?://[^\s"]*/t/[^\s/"]+`)
)

// NormalName is the normalised form of the name of a Python project (PEP 503).
func NormalName(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// holdsCredential reports whether there is an address with a user or a token somewhere in a text.
func holdsCredential(text string) bool {
	return strings.Contains(text, "://") && credential.MatchString(text) // the first is much faster, and mostly the answer
}

// fits reports whether a word has a form, and is not too long for a name or a version.
func fits(form *regexp.Regexp, word string) bool { return len(word) <= 128 && form.MatchString(word) }

// isHex reports whether a text is so many digits of lower-case hex.
func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}

// printable reports whether a text is one line without control characters.
func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\ufffd' || r == '\u0085'
	}) < 0
}

// clip shortens what is quoted in a complaint, and leaves out what may be secret in it.
func clip(text string) string {
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	if holdsCredential(text) {
		return "an address with a credential"
	}
	return text
}
