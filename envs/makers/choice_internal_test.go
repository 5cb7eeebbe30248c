package makers

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
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
		"it is slow":           {slow(patience), "forge cannot be used: no answer within 15s"},
		"the tool is broken":   {errors.New("the helper died"), "forge cannot be used: the helper died"},
	} {
		if got := instead("forge", c.cause); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// sleeper is a driver that takes longer to start than channels may take to answer.
type sleeper struct {
	driver.Driver
	awake bool
}

func (s *sleeper) Info(context.Context) (driver.Info, error) {
	s.awake = true
	return driver.Info{}, nil
}

func (s *sleeper) Solve(ctx context.Context, _ driver.Request, _ driver.Sink) (*lock.Lock, error) {
	if !s.awake {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return &lock.Lock{Kind: lock.Conda}, nil
}

func TestSlowStartOfOurToolIsNoSilenceOfChannels(t *testing.T) {
	t.Parallel()
	m := New(Config{Dir: t.TempDir(), Patience: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	m.drivers = map[lock.Kind]driver.Driver{lock.Conda: &sleeper{}}
	if c, err := m.decide(t.Context()); err != nil || c.Kind != lock.Conda {
		t.Errorf("decide() = %+v, %v, want packages from channels", c, err)
	}
}
