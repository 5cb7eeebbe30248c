package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// plugin is one plugin that has settings. Its schema stays text: clients are sent it as it is, and it is needed decoded
// only for the moment in which somebody saves.
type plugin struct {
	id      string // package:name
	schema  []byte // compact JSON, defaults overridden
	version string // of its package
}

// catalog holds all plugins with settings, in the order of their ids.
type catalog struct {
	plugins []plugin
	ids     []byte // the answer to ids_only, encoded once
}

func (c *catalog) find(id string) (*plugin, bool) {
	i, ok := slices.BinarySearchFunc(c.plugins, id, func(p plugin, id string) int { return strings.Compare(p.id, id) })
	if !ok {
		return nil, false
	}
	return &c.plugins[i], true
}

// readCatalog reads the schemas of the applications and of the extensions from the tree.
func readCatalog(tree *uilab.Tree, overrides overrides) (*catalog, error) {
	folders := []string{uilab.LabSchemas}
	for _, ext := range tree.Extensions {
		folders = append(folders, path.Join(uilab.Extensions, ext.Name, "schemas"))
	}
	c := &catalog{}
	for _, folder := range folders {
		if err := c.read(tree, folder, overrides); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read settings schemas: %w", err)
		}
	}
	slices.SortFunc(c.plugins, func(a, b plugin) int { return strings.Compare(a.id, b.id) })
	type id struct {
		ID string `json:"id"`
	}
	ids := []id{}
	for _, p := range c.plugins {
		ids = append(ids, id{p.id})
	}
	var err error
	c.ids, err = json.Marshal(map[string]any{"settings": ids})
	return c, err
}

func (c *catalog) read(tree *uilab.Tree, folder string, overrides overrides) error {
	return fs.WalkDir(tree.Root().FS(), folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".json" {
			return err
		}
		p, err := readPlugin(tree, folder, name, overrides)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.plugins = append(c.plugins, p)
		return nil
	})
}

// readPlugin reads FOLDER/PACKAGE/NAME.json, the schema of plugin PACKAGE:NAME.
func readPlugin(tree *uilab.Tree, folder, name string, overrides overrides) (plugin, error) {
	text, err := tree.Root().ReadFile(name)
	if err != nil {
		return plugin{}, err
	}
	var schema bytes.Buffer
	if err := json.Compact(&schema, text); err != nil {
		return plugin{}, err
	}
	dir := path.Dir(name)
	p := plugin{
		id:      strings.TrimPrefix(dir, folder+"/") + ":" + strings.TrimSuffix(path.Base(name), ".json"),
		version: version(tree, dir),
	}
	p.schema, err = overrides.apply(p.id, schema.Bytes())
	return p, err
}

// version reads the version of the package that a schema came with, which only the settings editor shows.
func version(tree *uilab.Tree, dir string) string {
	var m struct{ Version string }
	text, err := tree.Root().ReadFile(path.Join(dir, "package.json.orig"))
	if err != nil || json.Unmarshal(text, &m) != nil || m.Version == "" {
		return "N/A"
	}
	return m.Version
}

// validate checks JSON settings against the plugin's schema. The error is a sentence or several for the user.
func (p *plugin) validate(settings []byte) error {
	schema, err := p.compile()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		// The first line of the library's text speaks of the schema, the others of what is wrong.
		_, wrong, _ := strings.Cut(err.Error(), "\n")
		return errors.New(wrong)
	}
	return nil
}

// compile reads the schema as draft 7, as stock does. Keys that no draft knows, such as jupyter.lab.menus, mean nothing
// to it, and no other document is ever loaded.
func (p *plugin) compile() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(p.schema))
	if err != nil {
		return nil, err
	}
	const url = "settings:schema"
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(url, document); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("the schema of %s cannot be used: %w", p.id, err)
	}
	return schema, nil
}
