package projects

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// password is a stored password: argon2id with the parameters it was made with, so that they can be raised later.
type password struct {
	Algorithm string `json:"algorithm"` // argon2id
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
	Hash      []byte `json:"hash"`
}

// today are the parameters of new passwords: OWASP's first choice for argon2id.
func today() password {
	return password{Algorithm: "argon2id", Time: 2, MemoryKiB: 19 * 1024, Threads: 1}
}

func (p password) derive(plain string) []byte {
	return argon2.IDKey([]byte(plain), p.Salt, p.Time, p.MemoryKiB, p.Threads, 32)
}

// hashPassword waits for a place among those that hash, then makes a stored password.
func (s *Service) hashPassword(ctx context.Context, plain string) (*password, error) {
	p := today()
	p.Salt = make([]byte, 16)
	_, _ = rand.Read(p.Salt) // never fails
	err := s.whileHashing(ctx, func() { p.Hash = p.derive(plain) })
	return &p, err
}

// verifyPassword compares in constant time. Without a stored password it takes as long and says no, so that nobody learns
// which names exist.
func (s *Service) verifyPassword(ctx context.Context, stored *password, plain string) (ok bool, err error) {
	if len(plain) > maxPassword {
		plain = plain[:maxPassword+1]
	}
	p := today()
	p.Salt = make([]byte, 16)
	if stored != nil {
		p = *stored
	}
	err = s.whileHashing(ctx, func() {
		same := subtle.ConstantTimeCompare(p.derive(plain), p.Hash) == 1
		ok = same && stored != nil && p.Algorithm == "argon2id"
	})
	return ok, err
}

func (s *Service) whileHashing(ctx context.Context, do func()) error {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		do()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
