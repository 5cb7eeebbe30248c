package lock

import (
	"encoding/json"
	"errors"
	"strings"
)

// checkRecord compares a channel's record, which the installer goes by, with what the lock says.
func checkRecord(p Package) error {
	if len(p.Record) == 0 {
		return nil
	}
	var r map[string]any // not a struct: those match keys of any case, and the installer does not
	if err := json.Unmarshal(p.Record, &r); err != nil {
		return errors.New("its record is not that of a package")
	}
	says := map[string]string{
		"name": p.Name, "version": p.Version, "build": p.Build, "subdir": p.Subdir, "sha256": p.SHA256, "url": p.URL, "fn": fileOf(p.URL),
	}
	for key, want := range says {
		got, there := r[key]
		text, isText := got.(string)
		if there && (!isText || text != want && (key != "name" || !strings.EqualFold(text, want))) {
			return errors.New("its record is of something else: the " + key + " differs")
		}
	}
	if anyText(r, holdsCredential) {
		return errors.New("its record holds an address with a user or a token")
	}
	return nil
}

// anyText reports whether holds is true of a text somewhere in a JSON value, keys of objects left out.
func anyText(value any, holds func(string) bool) bool {
	switch v := value.(type) {
	case string:
		return holds(v)
	case []any:
		for _, item := range v {
			if anyText(item, holds) {
				return true
			}
		}
	case map[string]any:
		for _, item := range v {
			if anyText(item, holds) {
				return true
			}
		}
	}
	return false
}
