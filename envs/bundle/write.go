package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/uv"
	"github.com/hopyard/hopyard/internal/egress"
	"github.com/hopyard/hopyard/internal/wheels"
)

// Means are what a bundle is written with.
type Means struct {
	// Dir is an empty folder for downloads.
	Dir string
	// Fetcher brings the wheels that are known by name and hash alone.
	Fetcher *wheels.Fetcher
	// Pins are those of the tools.
	Pins []wheels.Wheel
	// Tell hears a line for each slow step.
	Tell func(line string)
}

// Write writes a bundle. Artifacts are fetched from where the lock has them, without credentials, and checked.
func Write(ctx context.Context, out io.Writer, b Bundle, m Means) error {
	w := &writer{tar: tar.NewWriter(out), at: b.Content.Created}
	b.Version, b.Lock, b.Platform = version, b.Content.ID(), b.Content.Platform
	about, err := json.MarshalIndent(b.About, "", "  ")
	if err != nil {
		return err
	}
	text, err := b.Content.Encode()
	if err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	w.text(aboutName, about)
	w.text(lockName, text)
	w.text(specName, []byte(b.Spec))
	// The addresses in a lock are not ours: they lead inside of the network around only where its channels and indexes are.
	ctx = egress.Allow(ctx, egress.Hosts(slices.Concat(b.Content.Channels, b.Content.Indexes)...))
	if err := w.packages(ctx, b.Content.Packages, m); err != nil {
		return err
	}
	if err := w.wheels(ctx, b.Content.Wheels, m); err != nil {
		return err
	}
	if err := w.tools(ctx, m); err != nil {
		return err
	}
	return errors.Join(w.err, w.tar.Close())
}

// writer puts files into a tar; after the first error it does nothing.
type writer struct {
	tar *tar.Writer
	at  time.Time // of all files, so that equal bundles are equal
	err error
}

func (w *writer) text(name string, text []byte) {
	w.put(name, int64(len(text)), bytes.NewReader(text))
}

func (w *writer) put(name string, size int64, from io.Reader) {
	if w.err != nil {
		return
	}
	w.err = w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: w.at.Truncate(time.Second)})
	if w.err == nil {
		_, w.err = io.Copy(w.tar, from)
	}
}

// file puts a file of the disk into the tar.
func (w *writer) file(name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.put(name, info.Size(), f)
	return w.err
}

// packages puts conda's artifacts and the repodata of what they are in.
func (w *writer) packages(ctx context.Context, all []lock.Package, m Means) error {
	subdirs := map[string][]lock.Package{}
	for i, p := range all {
		name, err := artifact(p)
		if err != nil {
			return err
		}
		m.Tell(fmt.Sprintf("package %d of %d: %s", i+1, len(all), path.Base(name)))
		draft := filepath.Join(m.Dir, "package")
		if err := fetch(ctx, p, draft); err != nil {
			return err
		}
		if err := w.file(name, draft); err != nil {
			return err
		}
		subdirs[p.Subdir] = append(subdirs[p.Subdir], p)
	}
	if len(all) > 0 && subdirs["noarch"] == nil {
		subdirs["noarch"] = []lock.Package{} // every channel has it
	}
	for _, subdir := range slices.Sorted(maps.Keys(subdirs)) {
		text, err := index(subdir, subdirs[subdir])
		if err != nil {
			return err
		}
		w.text(path.Join(channelName, subdir, repodata), text)
	}
	return w.err
}

// index is the repodata.json of a subdir (CEP 36).
func index(subdir string, in []lock.Package) ([]byte, error) {
	v := struct {
		Info     map[string]string         `json:"info"`
		Packages map[string]map[string]any `json:"packages"`
		Conda    map[string]map[string]any `json:"packages.conda"`
		Version  int                       `json:"repodata_version"`
	}{map[string]string{"subdir": subdir}, map[string]map[string]any{}, map[string]map[string]any{}, 1}
	for _, p := range in {
		record := map[string]any{}
		if len(p.Record) > 0 {
			if err := json.Unmarshal(p.Record, &record); err != nil {
				return nil, fmt.Errorf("record of %s: %w", p.Name, err)
			}
		}
		for _, where := range []string{"url", "fn", "channel"} {
			delete(record, where)
		}
		record["name"], record["version"], record["build"], record["build_number"] = p.Name, p.Version, p.Build, p.BuildNumber
		record["subdir"], record["sha256"], record["size"], record["depends"] = p.Subdir, p.SHA256, p.Size, append([]string{}, p.Depends...)
		if p.MD5 != "" {
			record["md5"] = p.MD5
		}
		if name := path.Base(p.URL); strings.HasSuffix(name, ".conda") {
			v.Conda[name] = record
		} else {
			v.Packages[name] = record
		}
	}
	return json.Marshal(v)
}

// wheels puts those of the environment.
func (w *writer) wheels(ctx context.Context, all []lock.Wheel, m Means) error {
	if len(all) == 0 {
		return nil
	}
	dir := filepath.Join(m.Dir, wheelsName)
	tool := &uv.Tool{Pinned: uv.Pinned{Python: m.Fetcher.Python, Cache: m.Fetcher.Cache}}
	said := 0
	err := tool.Fetch(ctx, all, nil, dir, func(e driver.Event) {
		if e.Done > said {
			said = e.Done
			m.Tell(fmt.Sprintf("wheel %d of %d", e.Done, e.Total))
		}
	})
	if err != nil {
		return err
	}
	for _, wheel := range all {
		name := path.Join(wheelsName, wheel.SHA256, wheel.Filename)
		if !file.MatchString(name) {
			return fmt.Errorf("wheel %s has a name that a bundle cannot hold: %q", wheel.Name, wheel.Filename)
		}
		if err := w.file(name, filepath.Join(dir, wheel.SHA256, wheel.Filename)); err != nil {
			return err
		}
	}
	return nil
}

// tools puts the wheels of the tools.
func (w *writer) tools(ctx context.Context, m Means) error {
	m.Tell(fmt.Sprintf("%d wheels of the tools", len(m.Pins)))
	paths, err := m.Fetcher.Fetch(ctx, m.Pins)
	if err != nil {
		return err
	}
	slices.Sort(paths)
	for _, p := range slices.Compact(paths) {
		if err := w.file(path.Join(cacheName, filepath.Base(p)), p); err != nil {
			return err
		}
	}
	return nil
}

// fetch brings a conda package to a file and checks it.
func fetch(ctx context.Context, p lock.Package, to string) error {
	from, err := open(ctx, p)
	if err != nil {
		return err
	}
	defer from.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	hash := sha256.New()
	most := p.Size
	if most == 0 {
		most = maxUnknown
	}
	n, err := io.Copy(io.MultiWriter(out, hash), io.LimitReader(from, most+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return driver.Failf(driver.ChannelUnreachable, "the download of %s broke off: %w", p.Name, err)
	}
	if p.Size > 0 && n != p.Size || hex.EncodeToString(hash.Sum(nil)) != p.SHA256 {
		return &driver.Failure{Cause: driver.HashMismatch, Package: p.Name, Message: fmt.Sprintf("%s is not what the lock says: the channel has changed it", path.Base(p.URL))}
	}
	return nil
}

// maxUnknown is the most that is taken of an artifact whose size the lock does not say, in bytes.
const maxUnknown = 8 << 30

// client knows the proxies of the environment.
var client = &http.Client{Transport: egress.Guard(http.DefaultTransport.(*http.Transport))}

// open opens an artifact where the lock has it.
func open(ctx context.Context, p lock.Package) (io.ReadCloser, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, fmt.Errorf("address of %s: %w", p.Name, err)
	}
	if u.Scheme == "file" {
		return os.Open(filepath.FromSlash(u.Path))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, driver.Failf(driver.ChannelUnreachable, "%s cannot be fetched: %w", p.Name, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		err = driver.Failf(driver.AuthFailed, "%s is in a channel that asks for a password, which bundles have no way to give", p.Name)
	case http.StatusNotFound:
		err = &driver.Failure{Cause: driver.PackageMissing, Package: p.Name, Message: fmt.Sprintf("%s is in its channel no more", path.Base(p.URL))}
	default:
		err = driver.Failf(driver.ChannelUnreachable, "the channel answers %s for %s", resp.Status, p.Name)
	}
	return nil, errors.Join(err, resp.Body.Close())
}
