package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// scriptTag is the one script of a page's template: {{page_config.fullStaticUrl}}/main.HASH.js?v=HASH.
var scriptTag = regexp.MustCompile(`<script[^>]*\ssrc="\{\{\s*page_config\.fullStaticUrl\s*\}\}/([A-Za-z0-9._-]+\.js(?:\?v=[A-Za-z0-9]+)?)"`)

// script finds which script a shipped page starts. The rest of the template is not used: the page is our own.
func (t *Tree) script(page string) (string, error) {
	text, err := t.root.ReadFile(page)
	if err != nil {
		return "", err
	}
	found := scriptTag.FindAllSubmatch(text, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%s has %d script tags of its bundle, want 1", page, len(found))
	}
	return string(found[0][1]), nil
}

func (t *Tree) version(manifest string) (string, error) {
	var m struct{ Version string }
	if err := t.readJSON(manifest, &m); err != nil {
		return "", err
	}
	return m.Version, nil
}

func (t *Tree) readJSON(name string, v any) error {
	text, err := t.root.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Extension is one prebuilt ("federated") lab extension, as the page config lists it: paths are relative to the
// extension's folder, which bears its name.
type Extension struct {
	Name          string `json:"name"`
	Load          string `json:"load"`
	Extension     string `json:"extension,omitempty"`
	MimeExtension string `json:"mimeExtension,omitempty"`
	Style         string `json:"style,omitempty"`
	// Disables lists plugins that must not run beside this extension.
	Disables []string `json:"-"`
}

// manifest is what matters of an extension's package.json.
type manifest struct {
	Name       string
	JupyterLab struct {
		Build              *Extension      `json:"_build"`
		DisabledExtensions json.RawMessage // a list, or the names of replaced plugins as a truth-valued object
	} `json:"jupyterlab"`
}

// extensions reads the manifests in the folders NAME and @SCOPE/NAME.
func (t *Tree) extensions() ([]Extension, error) {
	manifests, err := fs.Glob(t.root.FS(), Extensions+"/*/package.json")
	if err != nil {
		return nil, err
	}
	scoped, err := fs.Glob(t.root.FS(), Extensions+"/@*/*/package.json")
	if err != nil {
		return nil, err
	}
	all := []Extension{} // never nil: the page config needs an array
	for _, name := range append(manifests, scoped...) {
		ext, err := t.extension(name)
		if err != nil {
			return nil, err
		}
		all = append(all, ext)
	}
	slices.SortFunc(all, func(a, b Extension) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (t *Tree) extension(name string) (Extension, error) {
	var m manifest
	if err := t.readJSON(name, &m); err != nil {
		return Extension{}, err
	}
	if m.JupyterLab.Build == nil || m.JupyterLab.Build.Load == "" {
		return Extension{}, fmt.Errorf("%s: %w", name, errors.New("no prebuilt extension: jupyterlab._build.load is missing"))
	}
	ext := *m.JupyterLab.Build
	if ext.Name = m.Name; path.Join(Extensions, ext.Name) != path.Dir(name) {
		return Extension{}, fmt.Errorf("%s belongs to %q", name, m.Name)
	}
	// Only the list form names plugins of others; `true` would disable the extension's own ones.
	_ = json.Unmarshal(m.JupyterLab.DisabledExtensions, &ext.Disables)
	return ext, nil
}
