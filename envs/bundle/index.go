package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/hopyard/hopyard/envs/lock"
)

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
		name, err := packageName(p)
		if err != nil {
			return nil, err
		}
		if name = path.Base(name); strings.HasSuffix(name, ".conda") {
			v.Conda[name] = record
		} else {
			v.Packages[name] = record
		}
	}
	return json.Marshal(v)
}
