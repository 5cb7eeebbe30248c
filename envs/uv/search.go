package uv

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
)

const (
	maxPage       = 64 << 20 // bytes of one page of an index
	maxVersions   = 50
	searchTimeout = 15 * time.Second
	simpleJSON    = "application/vnd.pypi.simple.v1+json"
)

// Search looks for the exact name on a package index; empty means uv's default. No such package is no error: the answer is
// empty. An index cannot be searched by a part of a name.
func (t *Tool) Search(ctx context.Context, index, name string) ([]driver.Found, error) {
	name = strings.TrimSpace(name)
	if !validName.MatchString(name) {
		return nil, nil
	}
	if t.Offline {
		return nil, driver.Failf(driver.ChannelUnreachable, "offline: the package index cannot be asked")
	}
	address, err := t.indexOf(ctx, index)
	if err != nil {
		return nil, err
	}
	ctx = t.inside(ctx, address)
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	files, err := page(ctx, pageOf(address, name), known)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	found := driver.Found{Name: normalize(name), From: "pip", Versions: versionsOf(files)}
	if len(found.Versions) == 0 {
		return nil, nil
	}
	t.summarize(ctx, &found, files, known)
	return []driver.Found{found}, nil
}

// indexOf is the address of an index; empty means uv's default.
func (t *Tool) indexOf(ctx context.Context, index string) (string, error) {
	address, err := CleanIndex(index)
	if err == nil && address == "" {
		address, err = t.DefaultIndex(ctx)
	}
	return address, err
}

// pageOf is the address of a package's page.
func pageOf(index, name string) string {
	return strings.TrimRight(index, "/") + "/" + normalize(name) + "/"
}

// indexFile is one file of a package's page.
type indexFile struct {
	filename, address string
	sha256            string
	yanked            bool
	size              int64     // 0 where the page does not say
	uploaded          time.Time // zero where the page does not say
}

// page reads a package's page, as JSON (PEP 691) or HTML (PEP 503). A page that is not there has no files.
func page(ctx context.Context, address string, known fetch.Credentials) ([]indexFile, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, driver.Failf(driver.SpecInvalid, "the package index has no address that can be read")
	}
	if u.Scheme == "file" {
		text, err := os.ReadFile(filepath.Join(u.Path, "index.html"))
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return parseHTML(string(text), u), err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, driver.Failf(driver.SpecInvalid, "the package index has no address that can be read")
	}
	req.Header.Set("Accept", simpleJSON+", text/html;q=0.1")
	known.Authorize(req)
	res, err := fetch.Do(req)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fetch.Ended(ctx)
		}
		return nil, driver.Failf(driver.ChannelUnreachable, "the package index %s does not answer: %s", u.Host, fetch.Plain(err))
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return parsePage(res)
	case http.StatusNotFound, http.StatusGone:
		return nil, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, driver.Failf(driver.AuthFailed, "the package index %s refuses us (%d); check the credentials for it", u.Host, res.StatusCode)
	}
	return nil, driver.Failf(driver.ChannelUnreachable, "the package index %s answers %s", u.Host, res.Status)
}

func parsePage(res *http.Response) ([]indexFile, error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, driver.Failf(driver.ChannelUnreachable, "the package index %s broke off: %s", res.Request.URL.Host, fetch.Plain(err))
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); !strings.HasSuffix(kind, "json") {
		return parseHTML(string(text), res.Request.URL), nil
	}
	files, err := parseJSON(text, res.Request.URL)
	if err != nil {
		return nil, driver.Failf(driver.ChannelUnreachable, "the package index %s answers with something else than a page: %w", res.Request.URL.Host, err)
	}
	return files, nil
}

func parseJSON(text []byte, base *url.URL) ([]indexFile, error) {
	var doc struct {
		Files []struct {
			Filename string            `json:"filename"`
			URL      string            `json:"url"`
			Hashes   map[string]string `json:"hashes"`
			Yanked   any               `json:"yanked"` // false, true or the reason
			Size     int64             `json:"size"`
			Uploaded string            `json:"upload-time"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	files := make([]indexFile, 0, len(doc.Files))
	for _, f := range doc.Files {
		yanked := f.Yanked != nil && f.Yanked != false
		uploaded, _ := time.Parse(time.RFC3339, f.Uploaded) // mostly there (PEP 700)
		files = append(files, indexFile{f.Filename, absolute(base, f.URL), f.Hashes["sha256"], yanked, max(f.Size, 0), uploaded})
	}
	return files, nil
}

var (
	anchor = regexp.MustCompile(`(?is)<a\s([^>]*)>`)
	href   = regexp.MustCompile(`(?i)\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	yanked = regexp.MustCompile(`(?i)\bdata-yanked\b`)
)

// parseHTML takes the links of a page; what their text says does not count (PEP 503).
func parseHTML(text string, base *url.URL) []indexFile {
	var files []indexFile
	for _, a := range anchor.FindAllStringSubmatch(text, -1) {
		m := href.FindStringSubmatch(a[1])
		if m == nil {
			continue
		}
		u, err := url.Parse(absolute(base, html.UnescapeString(m[1]+m[2])))
		if err != nil {
			continue
		}
		hash, _ := strings.CutPrefix(u.Fragment, "sha256=")
		u.Fragment, u.RawFragment = "", ""
		files = append(files, indexFile{filename: path.Base(u.Path), address: u.String(), sha256: hash, yanked: yanked.MatchString(a[1])})
	}
	return files
}

func absolute(base *url.URL, ref string) string {
	u, err := base.Parse(ref)
	if err != nil {
		return ""
	}
	return u.String()
}

// preview is what a version has that is not yet released: an alpha, a candidate, a state of development (PEP 440).
var preview = regexp.MustCompile(`(?i)[0-9][-_.]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)[-_.]?[0-9]*(?:[-_.+]|$)`)

// versionsOf are the versions that have a wheel which was not withdrawn: those released first, the newest first.
func versionsOf(files []indexFile) []string {
	var versions []string
	for _, f := range files {
		if w, err := parseWheelName(f.filename); err == nil && !f.yanked && ValidVersion(w.version) {
			versions = append(versions, w.version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int {
		if preview.MatchString(a) != preview.MatchString(b) {
			return map[bool]int{true: 1, false: -1}[preview.MatchString(a)]
		}
		return lock.CompareVersions(b, a)
	})
	versions = slices.Compact(versions)
	return versions[:min(len(versions), maxVersions)]
}

// summarize adds what the newest version says of itself, where that can be had.
func (t *Tool) summarize(ctx context.Context, found *driver.Found, files []indexFile, known fetch.Credentials) {
	for _, f := range files {
		w, err := parseWheelName(f.filename)
		if err != nil || w.version != found.Versions[0] || checkHash(f.sha256) != nil {
			continue
		}
		text, err := t.metadata(ctx, lock.Wheel{Filename: f.filename, URL: f.address, SHA256: f.sha256}, known)
		if err == nil {
			m := parseMetadata(text)
			found.Summary, found.License = clip(m.summary), m.license()
		}
		return
	}
}
