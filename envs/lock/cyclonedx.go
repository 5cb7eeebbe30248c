package lock

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// bom is a bill of materials in CycloneDX 1.6, as far as we write it.
type bom struct {
	Schema       string          `json:"$schema"`
	Format       string          `json:"bomFormat"`
	SpecVersion  string          `json:"specVersion"`
	SerialNumber string          `json:"serialNumber"`
	Version      int             `json:"version"`
	Metadata     bomMetadata     `json:"metadata"`
	Components   []bomComponent  `json:"components"`
	Dependencies []bomDependency `json:"dependencies"`
}

type bomMetadata struct {
	Timestamp string       `json:"timestamp,omitempty"`
	Component bomComponent `json:"component"`
}

type bomComponent struct {
	Type       string         `json:"type"`
	Ref        string         `json:"bom-ref"`
	Name       string         `json:"name"`
	Version    string         `json:"version"`
	Hashes     []bomHash      `json:"hashes,omitempty"`
	Licenses   []any          `json:"licenses,omitempty"`
	PURL       string         `json:"purl,omitempty"`
	References []bomReference `json:"externalReferences,omitempty"`
	Properties []bomProperty  `json:"properties,omitempty"`
}

type bomHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type bomReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type bomProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type bomDependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// cycloneDX writes a bill of materials whose serial number is the lock's ID, so that one content has one number.
func cycloneDX(l *Lock, name string) ([]byte, error) {
	id := l.ID()
	root := bomComponent{Type: "application", Ref: "environment", Name: name, Version: id[:16]}
	root.Properties = []bomProperty{{"hopyard:lock", id}, {"hopyard:platform", l.Platform}, {"hopyard:kind", string(l.Kind)}}
	b := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6",
		SerialNumber: "urn:uuid:" + uuidOf(id), Version: 1, Metadata: bomMetadata{Component: root}, Components: components(l),
	}
	if !l.Created.IsZero() {
		b.Metadata.Timestamp = l.Created.Format(time.RFC3339)
	}
	b.Dependencies = dependencies(l, b.Components)
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write CycloneDX: %w", err)
	}
	return append(text, '\n'), nil
}

// uuidOf makes a UUID of version 8 (RFC 9562: bits of one's own) of a hash in hex.
func uuidOf(id string) string {
	b, _ := hex.DecodeString(id[:32]) // ID gives nothing else
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func components(l *Lock) []bomComponent {
	all := make([]bomComponent, 0, 1+len(l.Packages)+len(l.Wheels))
	if l.Base != nil {
		purl := "pkg:generic/cpython@" + purlEscape(l.Base.Version)
		all = append(all, bomComponent{Type: "platform", Ref: purl, Name: "cpython", Version: l.Base.Version, PURL: purl})
	}
	for _, p := range l.Packages {
		hashes := []bomHash{{"SHA-256", p.SHA256}}
		if p.MD5 != "" {
			hashes = append(hashes, bomHash{"MD5", p.MD5})
		}
		all = append(all, component(purlOf(p), p.Name, p.Version, p.License, p.URL, hashes))
	}
	for _, w := range l.Wheels {
		purl := "pkg:pypi/" + purlEscape(w.Name) + "@" + purlEscape(w.Version) + "?file_name=" + purlEscape(w.Filename)
		all = append(all, component(purl, w.Name, w.Version, w.License, w.URL, []bomHash{{"SHA-256", w.SHA256}}))
	}
	return all
}

func component(purl, name, version, license, address string, hashes []bomHash) bomComponent {
	c := bomComponent{
		Type: "library", Ref: purl, Name: name, Version: version, Hashes: hashes, Licenses: licenses(license), PURL: purl,
	}
	if address != "" {
		c.References = []bomReference{{"distribution", address}}
	}
	return c
}

// purlOf is a package's URL in the purl type conda, whose qualifiers are sorted.
func purlOf(p Package) string {
	kind := "conda"
	if strings.HasSuffix(p.URL, ".tar.bz2") {
		kind = "tar.bz2"
	}
	purl := "pkg:conda/" + purlEscape(p.Name) + "@" + purlEscape(p.Version) + "?build=" + purlEscape(p.Build)
	if channel := pathPart(p.URL, 3); channel != "" {
		purl += "&channel=" + purlEscape(channel)
	}
	return purl + "&subdir=" + purlEscape(p.Subdir) + "&type=" + kind
}

// purlEscape escapes all but what may stand in every part of a purl as it is.
func purlEscape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < 0x80 && (isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte(".-_~", c) >= 0) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// dependencies are the edges between components, below a root that holds all of them.
func dependencies(l *Lock, all []bomComponent) []bomDependency {
	refs := map[string]string{} // by name; a wheel hides a package of its name, as it does when it is installed over it
	root := bomDependency{Ref: "environment"}
	for _, c := range all {
		refs[c.Name], refs[NormalName(c.Name)] = c.Ref, c.Ref // wheels ask for normalised names
		root.DependsOn = append(root.DependsOn, c.Ref)
	}
	edges := map[string][]string{}
	for _, p := range l.Packages {
		edges[purlOf(p)] = needs(p)
	}
	for i, w := range l.Wheels {
		edges[all[len(all)-len(l.Wheels)+i].Ref] = w.Requires
	}
	slices.Sort(root.DependsOn)
	list := []bomDependency{root}
	for _, ref := range slices.Sorted(slices.Values(root.DependsOn)) {
		to := map[string]bool{}
		for _, name := range edges[ref] {
			if needed, ok := refs[name]; ok && needed != ref {
				to[needed] = true
			}
		}
		list = append(list, bomDependency{Ref: ref, DependsOn: slices.Sorted(maps.Keys(to))})
	}
	return list
}
