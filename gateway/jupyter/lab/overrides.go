package lab

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hopyard/hopyard/gateway/jupyter/lab/json5"
)

//go:embed overrides.json
var ourOverrides []byte

// overrides are defaults of settings by plugin and key, in the format of JupyterLab's overrides.json. They change the
// defaults in the schemas, not the users' values.
type overrides map[string]map[string]json.RawMessage

// parseOverrides reads ours and over them the site's, which may be JSON5.
func parseOverrides(site []byte) (overrides, error) {
	all := overrides{}
	if err := json.Unmarshal(ourOverrides, &all); err != nil {
		return nil, fmt.Errorf("our overrides of settings: %w", err)
	}
	if len(site) == 0 {
		return all, nil
	}
	text, err := json5.ToJSON(string(site))
	if err != nil {
		return nil, fmt.Errorf("overrides of settings: %w", err)
	}
	var more overrides
	if err := json.Unmarshal(text, &more); err != nil {
		return nil, fmt.Errorf("overrides of settings: %w", err)
	}
	for plugin, values := range more {
		if all[plugin] == nil {
			all[plugin] = map[string]json.RawMessage{}
		}
		maps.Copy(all[plugin], values)
	}
	return all, nil
}

// apply puts the plugin's overrides into its schema: properties.KEY.default. Where both are objects they are merged.
func (o overrides) apply(plugin string, schema []byte) ([]byte, error) {
	values := o[plugin]
	if len(values) == 0 {
		return schema, nil
	}
	return edit(schema, "properties", func(properties []byte) ([]byte, error) {
		var err error
		for _, key := range slices.Sorted(maps.Keys(values)) {
			properties, err = edit(properties, key, func(property []byte) ([]byte, error) {
				return edit(property, "default", func(old []byte) ([]byte, error) { return merge(old, values[key]) })
			})
			if err != nil {
				return nil, err
			}
		}
		return properties, nil
	})
}

// merge gives value over old: object over object key by key, anything else replaces.
func merge(old, value []byte) ([]byte, error) {
	into, over := object{}, object{}
	if json.Unmarshal(old, &into) != nil || json.Unmarshal(value, &over) != nil {
		return value, nil
	}
	for _, m := range over {
		var err error
		if i := into.index(m.key); i < 0 {
			into = append(into, m)
		} else if into[i].value, err = merge(into[i].value, m.value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(into)
}

// edit replaces the member of a JSON object by what change makes of it; change is given {} for one that is missing.
func edit(text []byte, key string, change func([]byte) ([]byte, error)) ([]byte, error) {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	i := o.index(key)
	if i < 0 {
		i, o = len(o), append(o, member{key, []byte("{}")})
	}
	var err error
	if o[i].value, err = change(o[i].value); err != nil {
		return nil, err
	}
	return json.Marshal(o)
}

// object is a JSON object in its order, which the settings editor shows.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

func (o object) index(key string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.key == key })
}

// UnmarshalJSON reads an object and nothing else.
func (o *object) UnmarshalJSON(text []byte) error {
	*o = nil
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("not an object: %v", open)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		m := member{key: key.(string)} // the decoder gives nothing else before a value
		if err := decoder.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

var (
	_ json.Marshaler   = object{}
	_ json.Unmarshaler = (*object)(nil)
)
