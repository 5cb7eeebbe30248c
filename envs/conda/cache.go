package conda

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/lock"
)

// revision is how many bytes py-rattler's note of a package in its cache begins with; the SHA-256 of the archive follows.
const revision = 8

// cached says whether py-rattler will find a package in its cache: unpacked, from the very archive of the lock. A wrong answer costs
// time alone: the helper says which package is lacking after all.
func cached(cache string, p lock.Package) bool {
	sum, err := hex.DecodeString(p.SHA256)
	if err != nil {
		return false
	}
	folder := filepath.Join(cache, p.Name+"-"+p.Version+"-"+p.Build)
	note, err := os.ReadFile(folder + ".lock")
	if err != nil || len(note) != revision+len(sum) || !bytes.Equal(note[revision:], sum) {
		return false
	}
	_, err = os.Stat(filepath.Join(folder, "info", "index.json"))
	return err == nil
}
