package projects

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
)

// limit is how many attempts may fail at once, and how long it takes for one more to be allowed.
type limit struct {
	burst  float64
	refill time.Duration
}

// A guesser of one account gets 10 tries and then two a minute, from one address 30 and then ten a minute.
var (
	perAccount = limit{burst: 10, refill: 30 * time.Second}
	perAddress = limit{burst: 30, refill: 6 * time.Second}
)

// maxBuckets bounds the memory that strangers can take.
const maxBuckets = 10_000

// throttle slows guessing down. It is kept in memory only: a restart forgives.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket // guarded by mu
}

type bucket struct {
	left  float64
	at    time.Time
	limit limit
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, buckets: map[string]bucket{}}
}

func (b bucket) filled(now time.Time) bucket {
	b.left = min(b.limit.burst, b.left+float64(now.Sub(b.at))/float64(b.limit.refill))
	b.at = now
	return b
}

// attempt takes one try off account and address before it is known whether the try is good, so that many at once do not
// slip through. The caller calls forgive after a good one. It returns a problem.TooMany when there is none left.
func (t *throttle) attempt(account, remote string) (forgive func(), err error) {
	account, address := "account "+account, "address "+network(remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.has(account, perAccount) || !t.has(address, perAddress) {
		return nil, problem.New(problem.TooMany, "too many failed attempts; wait half a minute and try again")
	}
	t.add(account, -1)
	t.add(address, -1)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.buckets, account)
		t.add(address, 1)
	}, nil
}

// has reports whether key has a try left. The caller holds mu.
func (t *throttle) has(key string, l limit) bool {
	now := t.now()
	b, ok := t.buckets[key]
	if !ok {
		t.makeRoom(now)
		b = bucket{left: l.burst, at: now, limit: l}
	}
	b = b.filled(now)
	t.buckets[key] = b
	return b.left >= 1
}

// add changes what key has left, if it is still known. The caller holds mu.
func (t *throttle) add(key string, n float64) {
	if b, ok := t.buckets[key]; ok {
		b.left = min(b.limit.burst, b.left+n)
		t.buckets[key] = b
	}
}

// makeRoom forgets the buckets that are full again, and if that is not enough, any. The caller holds mu.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.buckets) < maxBuckets {
		return
	}
	for key, b := range t.buckets {
		if b.filled(now).left >= b.limit.burst {
			delete(t.buckets, key)
		}
	}
	for key := range t.buckets {
		if len(t.buckets) < maxBuckets {
			return
		}
		delete(t.buckets, key)
	}
}

// network is whom an address is counted with: IPv6 hands every customer a /64.
func network(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil || addr.Unmap().Is4() {
		return remote
	}
	p, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return remote
	}
	return p.String()
}
