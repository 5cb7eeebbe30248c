package doctor_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/doctor"
)

func run(t *testing.T, c doctor.Config) doctor.Report {
	t.Helper()
	return doctor.Run(t.Context(), c)
}

func find(t *testing.T, r doctor.Report, name string) doctor.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("the report has no check %q", name)
	return doctor.Check{}
}

func TestEveryCheckSaysWhatItFoundAndHowToMendIt(t *testing.T) {
	t.Parallel()
	r := run(t, doctor.Config{Data: t.TempDir()})
	for _, c := range r.Checks {
		if c.Name == "" || c.Found == "" || c.Means == "" {
			t.Errorf("check %+v does not say what it found and means", c)
		}
		if c.Status != doctor.OK && c.Mend == "" {
			t.Errorf("check %s is %s and does not say how to mend it", c.Name, c.Status)
		}
	}
}

func TestReportSaysPlainlyThatKernelsAreNotIsolated(t *testing.T) {
	t.Parallel()
	c := find(t, run(t, doctor.Config{Data: t.TempDir()}), "Isolation")
	if c.Status != doctor.Warn || !strings.Contains(c.Found, "not isolated from each other") {
		t.Errorf("Isolation = %+v, want a warning that says so", c)
	}
}

func TestLongDataPathIsToldOf(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if c := find(t, run(t, doctor.Config{Data: long}), "Socket paths"); c.Status != doctor.Warn {
		t.Errorf("Socket paths of a long data directory = %+v, want a warning", c)
	}
}

func TestGivenChecksStandInTheReport(t *testing.T) {
	t.Parallel()
	lab := func(context.Context) doctor.Check {
		return doctor.Check{Name: "Lab bundle", Status: doctor.Missing, Found: "no", Means: "m", Mend: "start once", Needed: true}
	}
	r := run(t, doctor.Config{Data: t.TempDir(), First: []func(context.Context) doctor.Check{lab}})
	if r.Healthy() {
		t.Error("a needed check that is missing leaves the report healthy")
	}
	var people, programs strings.Builder
	if err := r.Write(&people); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&programs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(people.String(), "mend: start once") {
		t.Errorf("the table lacks the mend:\n%s", people.String())
	}
	var back doctor.Report
	if err := json.Unmarshal([]byte(programs.String()), &back); err != nil || len(back.Checks) != len(r.Checks) {
		t.Errorf("the JSON does not read back: %v", err)
	}
}
