package testchannel

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/mail"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// When wheels were uploaded, as the index says: what is "too new" always is.
const (
	longAgo  = "2024-01-01T00:00:00Z"
	farAhead = "2099-01-01T00:00:00Z"
)

// wheel is a file of the index, in the words of PEP 691.
type wheel struct {
	Filename       string            `json:"filename"`
	URL            string            `json:"url"` // relative to the page of its project
	Hashes         map[string]string `json:"hashes"`
	Size           int64             `json:"size"`
	UploadTime     string            `json:"upload-time"`
	RequiresPython string            `json:"requires-python,omitempty"`
	CoreMetadata   map[string]string `json:"core-metadata,omitempty"` // PEP 658

	version  string
	metadata []byte
}

var separators = regexp.MustCompile(`[-_.]+`)

// normal is the normalised form of a project's name (PEP 503).
func normal(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// readWheels reads the files of an index, by the names of their projects.
func readWheels(folder string) (map[string][]wheel, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	all := map[string][]wheel{}
	for _, entry := range entries {
		name, w, err := readWheel(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", entry.Name(), err)
		}
		all[name] = append(all[name], w)
	}
	return all, nil
}

func readWheel(file string) (string, wheel, error) {
	filename := filepath.Base(file)
	w := wheel{Filename: filename, URL: "../../wheels/" + filename, UploadTime: longAgo}
	if filename == "too_new_wheel-2.0-py3-none-any.whl" {
		w.UploadTime = farAhead
	}
	var err error
	if w.Hashes, w.Size, err = hashFile(file); err != nil {
		return "", w, err
	}
	parts := strings.Split(strings.TrimSuffix(filename, ".tar.gz"), "-")
	if strings.HasSuffix(filename, ".tar.gz") {
		last := len(parts) - 1
		w.version = parts[last]
		return normal(strings.Join(parts[:last], "-")), w, nil
	}
	if len(parts) < 5 {
		return "", w, fmt.Errorf("not the name of a wheel")
	}
	w.version = parts[1]
	if w.metadata, err = readMetadata(file); err != nil {
		return "", w, err
	}
	sum := sha256.Sum256(w.metadata)
	w.CoreMetadata = map[string]string{"sha256": hex.EncodeToString(sum[:])}
	if message, err := mail.ReadMessage(strings.NewReader(string(w.metadata) + "\n")); err == nil {
		w.RequiresPython = message.Header.Get("Requires-Python")
	}
	return normal(parts[0]), w, nil
}

func hashFile(name string) (map[string]string, int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	return map[string]string{"sha256": hex.EncodeToString(sum.Sum(nil))}, size, err
}

func readMetadata(name string) ([]byte, error) {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	for _, f := range archive.File {
		if ok, _ := path.Match("*.dist-info/METADATA", f.Name); ok {
			file, err := f.Open()
			if err != nil {
				return nil, err
			}
			defer file.Close()
			return io.ReadAll(file)
		}
	}
	return nil, fmt.Errorf("no METADATA in it")
}

// serveWheel serves a file of the index, or the metadata of one.
func (h *Handler) serveWheel(w http.ResponseWriter, r *http.Request, name string, faults Faults) {
	filename, isMetadata := strings.CutSuffix(name, ".metadata")
	if !isMetadata {
		serveFile(w, r, filepath.Join(h.folders.Wheels, filepath.FromSlash(name)), faults)
		return
	}
	all, err := h.index()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, files := range all {
		for _, file := range files {
			if file.Filename == filename && file.metadata != nil {
				_, _ = w.Write(file.metadata)
				return
			}
		}
	}
	http.NotFound(w, r)
}

const jsonType = "application/vnd.pypi.simple.v1+json"

// serveIndex serves the list of projects, where project is empty, or the files of one.
func (h *Handler) serveIndex(w http.ResponseWriter, r *http.Request, project string) {
	all, err := h.index()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	files, found := all[normal(project)]
	if project != "" && !found {
		http.NotFound(w, r)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), jsonType) {
		w.Header().Set("Content-Type", jsonType)
		_ = json.NewEncoder(w).Encode(page(all, project, files))
		return
	}
	w.Header().Set("Content-Type", "text/html")
	if project == "" {
		_ = listPage.Execute(w, names(all))
		return
	}
	_ = projectPage.Execute(w, files)
}

func page(all map[string][]wheel, project string, files []wheel) map[string]any {
	p := map[string]any{"meta": map[string]string{"api-version": "1.1"}}
	if project == "" {
		projects := []map[string]string{}
		for _, name := range names(all) {
			projects = append(projects, map[string]string{"name": name})
		}
		p["projects"] = projects
		return p
	}
	versions := []string{}
	for _, f := range files {
		versions = append(versions, f.version)
	}
	slices.Sort(versions)
	p["name"], p["files"], p["versions"] = normal(project), files, slices.Compact(versions)
	return p
}

func names(all map[string][]wheel) []string {
	list := make([]string, 0, len(all))
	for name := range all {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

var (
	listPage = template.Must(template.New("list").Parse(`<!DOCTYPE html>
<html><body>
{{range .}}<a href="{{.}}/">{{.}}</a>
{{end}}</body></html>
`))
	projectPage = template.Must(template.New("project").Parse(`<!DOCTYPE html>
<html><body>
{{range .}}<a href="{{.URL}}#sha256={{.Hashes.sha256}}"{{with .RequiresPython}} data-requires-python="{{.}}"{{end}}{{with .CoreMetadata}} data-core-metadata="sha256={{.sha256}}"{{end}}>{{.Filename}}</a>
{{end}}</body></html>
`))
)
