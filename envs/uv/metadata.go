package uv

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
	"golang.org/x/sync/errgroup"
)

const (
	maxMetadata     = 4 << 20          // bytes
	metadataTimeout = 10 * time.Second // for all wheels of a solve together
	metadataAtOnce  = 8
)

var errNoMetadata = errors.New("no metadata")

// describe fills in licences and requirements, as far as they can be had: a solve does not fail for want of them.
func (t *Tool) describe(ctx context.Context, wheels []lock.Wheel, provided []string, goal target) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return
	}
	here := map[string]bool{}
	for _, w := range wheels {
		here[w.Name] = true
	}
	for _, name := range provided {
		here[normalize(name)] = true
	}
	var group errgroup.Group
	group.SetLimit(metadataAtOnce)
	for i := range wheels {
		group.Go(func() error {
			text, err := t.metadata(ctx, wheels[i], known)
			if err != nil {
				return nil
			}
			m := parseMetadata(text)
			wheels[i].License = m.license()
			wheels[i].Requires = m.requires(here, goal)
			return nil
		})
	}
	_ = group.Wait()
}

// metadata gives the METADATA of a wheel: from our cache, from the file itself, or from beside it on the index (PEP 658).
func (t *Tool) metadata(ctx context.Context, w lock.Wheel, known fetch.Credentials) ([]byte, error) {
	cached := ""
	if t.Cache != "" {
		cached = filepath.Join(t.Cache, "hopyard-metadata", w.SHA256)
		if text, err := os.ReadFile(cached); err == nil {
			return text, nil
		}
	}
	text, err := t.readMetadata(ctx, w, known)
	if err != nil || cached == "" {
		return text, err
	}
	if os.MkdirAll(filepath.Dir(cached), 0o700) == nil {
		_ = writeWhole(cached, text)
	}
	return text, nil
}

func (t *Tool) readMetadata(ctx context.Context, w lock.Wheel, known fetch.Credentials) ([]byte, error) {
	u, err := url.Parse(w.URL)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return metadataOf(u.Path)
	}
	if t.Offline {
		return nil, errNoMetadata
	}
	if text, err := besideWheel(ctx, *u, known); err == nil {
		return text, nil
	}
	remote := &remoteFile{ctx: ctx, address: w.URL, known: known}
	size, err := remote.open(w.Size)
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(remote, size)
	if err != nil {
		return nil, err
	}
	return metadataIn(archive)
}

// besideWheel reads the file that an index may have beside a wheel (PEP 658).
func besideWheel(ctx context.Context, wheel url.URL, known fetch.Credentials) ([]byte, error) {
	wheel.Path += ".metadata"
	wheel.RawPath = ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, wheel.String(), nil)
	if err != nil {
		return nil, err
	}
	known.Authorize(req)
	res, err := fetch.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxMetadata+1))
	if err == nil && (res.StatusCode != http.StatusOK || len(text) > maxMetadata || !strings.HasPrefix(string(text), "Metadata-Version:")) {
		return nil, errNoMetadata
	}
	return text, err
}

// metadataOf reads METADATA out of a wheel on disk.
func metadataOf(file string) ([]byte, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	return metadataIn(&archive.Reader)
}

func metadataIn(archive *zip.Reader) ([]byte, error) {
	for _, f := range archive.File {
		if dir, name := path.Split(f.Name); name == "METADATA" && strings.HasSuffix(dir, ".dist-info/") && strings.Count(dir, "/") == 1 {
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(io.LimitReader(r, maxMetadata))
		}
	}
	return nil, errNoMetadata
}

// metadata is what we read of a distribution's core metadata.
type metadata struct {
	expression, text string
	classifiers      []string
	needs            []string // Requires-Dist
	summary          string
}

// parseMetadata reads the header fields. Continuation lines of a licence's full text are left out.
func parseMetadata(text []byte) metadata {
	var m metadata
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Buffer(nil, maxMetadata)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			break
		}
		key, value, found := strings.Cut(line, ":")
		if !found || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "license-expression":
			m.expression = value
		case "license":
			m.text = value
		case "summary":
			m.summary = value
		case "classifier":
			if rest, ok := strings.CutPrefix(value, "License :: "); ok {
				m.classifiers = append(m.classifiers, rest)
			}
		case "requires-dist":
			m.needs = append(m.needs, value)
		}
	}
	return m
}

// license prefers the exact expression, then a short text, then the classifiers; a whole licence in the field is none of them.
func (m metadata) license() string {
	const shortText = 60
	short := m.text != "" && len(m.text) <= shortText && !strings.EqualFold(m.text, "unknown")
	switch {
	case m.expression != "":
		return clip(m.expression)
	case short:
		return m.text
	}
	names := make([]string, 0, len(m.classifiers))
	for _, c := range m.classifiers {
		parts := strings.Split(c, " :: ")
		if name := parts[len(parts)-1]; name != "OSI Approved" {
			names = append(names, name)
		}
	}
	return clip(strings.Join(names, "; "))
}

// requires are the names among those here that it needs, sorted. What only an extra of it needs is left out.
func (m metadata) requires(here map[string]bool, goal target) []string {
	var names []string
	for _, line := range m.needs {
		_, marker, _ := strings.Cut(line, ";")
		if name := nameOf(line); name != "" && here[name] && !excluded(marker, goal) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// excluded reports whether a marker is surely false here. It knows conjunctions of the common comparisons; what it does not
// understand is taken to hold, so that an edge too many is shown rather than one too few.
func excluded(marker string, goal target) bool {
	marker = strings.TrimSpace(marker)
	if marker == "" || strings.Contains(marker, " or ") {
		return false
	}
	for clause := range strings.SplitSeq(marker, " and ") {
		fields := strings.Fields(strings.Trim(clause, " ()"))
		if len(fields) != 3 {
			continue
		}
		name, op, value := fields[0], fields[1], strings.Trim(fields[2], `"'`)
		if falsehood(name, op, value, goal) {
			return true
		}
	}
	return false
}

func falsehood(name, op, value string, goal target) bool {
	actual, known := map[string]string{
		"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
		"platform_python_implementation": "CPython", "implementation_name": "cpython",
		"platform_machine": goal.arch,
	}[name]
	switch {
	case name == "extra":
		return true
	case known && op == "==":
		return actual != value
	case known && op == "!=":
		return actual == value
	case name == "python_version":
		order := lock.CompareVersions("3."+strconv.Itoa(goal.minor), value)
		return map[string]bool{"<": order >= 0, "<=": order > 0, ">": order <= 0, ">=": order < 0, "==": order != 0, "!=": order == 0}[op]
	}
	return false
}
