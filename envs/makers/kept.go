package makers

import "github.com/hopyard/hopyard/envs/lock"

// Kept tells which choice an earlier start has made and why, without preparing anything; false if there is none.
func (m *Makers) Kept() (kind lock.Kind, why string, ok bool) {
	c, err := m.readChoice()
	if c == nil || err != nil {
		return "", "", false
	}
	return c.Kind, c.Why, true
}
