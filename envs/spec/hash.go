package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Hash names what s asks for, in hex: specs that differ in comments, order of packages or name have the same.
func (s *Spec) Hash() string {
	var form struct {
		Channels   []string
		NoDefaults bool
		Conda, Pip []string
		Variables  map[string]string
	}
	form.Channels, form.NoDefaults, form.Variables = s.Channels, s.NoDefaults, s.Variables
	for _, req := range s.Dependencies {
		if m, problem := parseMatch(req.Text); problem == nil {
			form.Conda = append(form.Conda, m.normal())
		}
	}
	for _, req := range s.Pip {
		if p, problem := parsePip(req.Text); problem == nil {
			p.hashes = req.Hashes
			form.Pip = append(form.Pip, p.normal())
		}
	}
	slices.Sort(form.Conda)
	slices.Sort(form.Pip)
	if len(form.Variables) == 0 {
		form.Variables = nil
	}
	text, err := json.Marshal(form)
	if err != nil { // strings and lists of them always have a JSON form
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
