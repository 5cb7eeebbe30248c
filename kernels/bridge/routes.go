package bridge

// routes remembers which client sent a message, so that its reply finds the way back and nothing is sent twice. It keeps
// between routeCount and twice as many of the newest; it is not safe for concurrent use.
type routes struct {
	young, old map[string]string
}

const routeCount = 4096

// add notes the sender of a message; it reports false if the message is known.
func (r *routes) add(id, client string) bool {
	if _, known := r.find(id); known {
		return false
	}
	if r.young == nil || len(r.young) >= routeCount {
		r.old, r.young = r.young, make(map[string]string)
	}
	r.young[id] = client
	return true
}

func (r *routes) find(id string) (client string, ok bool) {
	if client, ok = r.young[id]; !ok {
		client, ok = r.old[id]
	}
	return client, ok
}
