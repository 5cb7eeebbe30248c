package makers

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/envs/driver"
)

func TestWhyNotFromChannelsTellsThoseThatAnswerFromOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause error
		want  string
	}{
		"a package is missing": {driver.Failf(driver.PackageMissing, "no channel has debugpy\nat all"), "forge answers, but has not all that a first environment needs: no channel has debugpy; "},
		"nothing fits":         {driver.Failf(driver.Unsatisfiable, "they do not fit"), "forge answers, but has not all that a first environment needs: they do not fit; "},
		"it is away":           {driver.Failf(driver.ChannelUnreachable, "forge is away"), "forge cannot be used: forge is away"},
		"it is slow":           {context.DeadlineExceeded, "forge cannot be used: no answer within 15s"},
		"the tool is broken":   {errors.New("the helper died"), "forge cannot be used: the helper died"},
	} {
		if got := instead("forge", c.cause); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
