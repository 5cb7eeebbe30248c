package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/spec"
)

var (
	now  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	hash = strings.Repeat("0a", 32)
)

// rules reads rules as a site writes them.
func rules(t *testing.T, text string) policy.Rules {
	t.Helper()
	var r policy.Rules
	if err := yaml.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func conda(urls ...string) *lock.Lock {
	l := &lock.Lock{Version: 1, Kind: lock.Conda}
	for _, url := range urls {
		l.Packages = append(l.Packages, lock.Package{Name: "zlib", URL: url, SHA256: hash})
	}
	return l
}

func wheels(urls ...string) *lock.Lock {
	l := &lock.Lock{Version: 1, Kind: lock.Venv}
	for _, url := range urls {
		l.Wheels = append(l.Wheels, lock.Wheel{Name: "six", URL: url, SHA256: hash})
	}
	return l
}

// said are the rules that refused, joined.
func said(all []driver.Failure) string {
	var names []string
	for _, f := range all {
		names = append(names, f.Rule)
	}
	return strings.Join(names, "; ")
}

func TestRulesAreReadFromYAMLAndJSON(t *testing.T) {
	t.Parallel()
	r := rules(t, "channels: [a]\nminimum_age: 3d\nmax_artifact_bytes: 20GB\nallowed_channels: []\n")
	if r.MinimumAge.Duration != 72*time.Hour || r.MaxArtifactBytes != 20_000_000_000 || r.AllowedChannels == nil {
		t.Errorf("rules = %+v", r)
	}
	for text, want := range map[string]policy.Size{"1024": 1024, "1.5GiB": 3 << 29, "512 MiB": 512 << 20, "10kB": 10_000, "7B": 7} {
		if got := rules(t, "max_artifact_bytes: "+text).MaxArtifactBytes; got != want {
			t.Errorf("size %s = %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{
		"max_artifact_bytes: x", "max_artifact_bytes: -1", "max_artifact_bytes: 1e30", "max_artifact_bytes: NaN", "minimum_age: 3", "minimum_age: -1h", "minimum_age: 99999d",
	} {
		var wrong policy.Rules
		if err := yaml.Unmarshal([]byte(text), &wrong); err == nil {
			t.Errorf("%s is taken as %+v", text, wrong)
		}
	}
	written, err := json.Marshal(r)
	var again policy.Rules
	if err == nil {
		err = json.Unmarshal(written, &again)
	}
	if err != nil || again.AllowedChannels == nil || again.MinimumAge != r.MinimumAge || again.MaxArtifactBytes != r.MaxArtifactBytes {
		t.Errorf("after JSON %s: %+v, %v", written, again, err)
	}
	if written, err := json.Marshal(policy.Rules{}); err != nil || string(written) != "{}" {
		t.Errorf("no rules are %s, %v", written, err)
	}
}

func TestValidateTellsAllMistakes(t *testing.T) {
	t.Parallel()
	err := rules(t, `
channels: ["*"]
channel_urls: {ours: "https://me:secret@example.org/ours", defaults: "https://example.org/d"}
channel_alias: ftp://example.org
allowed_channels: ["*", "https://example.org/../x"]
private_channels: {theirs: [p]}
index: https://token@example.org/simple
wheel_hosts: ["https://example.org"]
deny_packages: ["*"]
max_packages: -1
`).Validate()
	if err == nil {
		t.Fatal("Validate = nil")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		"allowed_channels: ", "channel_alias: ", "channel_urls: \"defaults\"", "channel_urls: ours", "channels: ", "deny_packages: ", "index: ",
		"max_packages: ", "private_channels: theirs", "wheel_hosts: ",
	}
	if len(lines) != len(want) {
		t.Fatalf("%d mistakes, want %d:\n%v", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("mistake %d is %q, want %q…", i, line, want[i])
		}
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token@") {
		t.Errorf("the mistakes show credentials: %v", err)
	}
	for _, good := range []string{"{}", "index: https://example.org/simple\nallowed_indexes: [https://example.org]\nwheel_hosts: ['files.example.org:8443']\nallowed_channels: ['*', conda-forge/label/rc]\n"} {
		if err := rules(t, good).Validate(); err != nil {
			t.Errorf("Validate(%s) = %v", good, err)
		}
	}
}

func TestChannelsAreTheSpecsOrTheSites(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, spec, want string }{
		"nothing said":          {"{}", "dependencies: []", "conda-forge"},
		"the site's":            {"channels: [a, b]", "dependencies: []", "a b"},
		"the file's":            {"channels: [a]", "channels: [b, nodefaults]\ndependencies: []", "b"},
		"defaults never":        {"{}", "channels: [defaults, conda-forge]\ndependencies: []", "conda-forge"},
		"nor by a star":         {"allowed_channels: ['*']", "channels: [defaults, x]\ndependencies: []", "x"},
		"defaults by name":      {"allowed_channels: [defaults]", "channels: [defaults]\ndependencies: []", "defaults"},
		"names with addresses":  {"channel_urls: {a: 'HTTPS://Example.org:443/a/'}", "channels: [a, a/label/rc, b]\ndependencies: []", "https://example.org/a https://example.org/a/label/rc b"},
		"names below the alias": {"channel_alias: http://127.0.0.1:8080/mirror", "channels: [a]\ndependencies: []", "http://127.0.0.1:8080/mirror/a"},
		"addresses with blanks": {"{}", "channels: ['file:///a%20b']\ndependencies: []", "file:///a%20b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := spec.Parse([]byte(c.spec))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(rules(t, c.rules).Channels(s), " "); got != c.want {
				t.Errorf("Channels = %s, want %s", got, c.want)
			}
		})
	}
}

func TestChannelsAreCalledByTheNamesOfTheRules(t *testing.T) {
	t.Parallel()
	urls := "channel_urls: {conda-forge: 'https://mirror.example/forge', deep: 'https://mirror.example/forge/special', z: 'https://mirror.example/forge'}\n"
	for name, c := range map[string]struct{ rules, channel, want string }{
		"by its mirror":          {urls, "https://mirror.example/forge/", "conda-forge"},
		"however it is written":  {urls, "HTTPS://Mirror.example:443/forge", "conda-forge"},
		"a label":                {urls, "https://mirror.example/forge/label/rc", "conda-forge/label/rc"},
		"the nearest":            {urls, "https://mirror.example/forge/special", "deep"},
		"below the alias":        {"channel_alias: https://mirror.example/\n", "https://mirror.example/bioconda/label/x", "bioconda/label/x"},
		"a name before an alias": {urls + "channel_alias: https://mirror.example/\n", "https://mirror.example/forge", "conda-forge"},
		"the alias itself":       {"channel_alias: https://mirror.example/a\n", "https://mirror.example/a", "https://mirror.example/a"},
		"one that has no name":   {urls, "https://other.example/forge/", "https://other.example/forge/"},
		"a name":                 {urls, "bioconda", "bioconda"},
		"nothing":                {urls, "", ""},
		"no plain address":       {urls, "https://mirror.example/../forge", "https://mirror.example/../forge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rules(t, c.rules).Name(c.channel); got != c.want {
				t.Errorf("Name(%q) = %q, want %q", c.channel, got, c.want)
			}
		})
	}
}

func TestCheckSpecRefusesBeforeSolving(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, spec, want string }{
		"nothing said":             {"{}", "channels: [conda-forge]\ndependencies: [numpy]", ""},
		"another channel":          {"{}", "channels: [elsewhere]\ndependencies: [numpy]", "allowed_channels"},
		"defaults":                 {"allowed_channels: ['*']", "channels: [defaults]\ndependencies: [numpy]", "allowed_channels"},
		"a package's own channel":  {"{}", "dependencies: ['elsewhere::numpy']", "allowed_channels"},
		"a label of it":            {"{}", "channels: [conda-forge/label/rc]\ndependencies: []", ""},
		"a name that begins alike": {"{}", "channels: [conda-forge-evil]\ndependencies: []", "allowed_channels"},
		"the address of a name":    {"channel_urls: {a: https://example.org/a}", "channels: ['https://EXAMPLE.org:443/a/']\ndependencies: []", ""},
		"a denied package":         {"deny_packages: [Evil_Thing]", "dependencies: [evil-thing=1]", "deny_packages: Evil_Thing"},
		"a denied wheel":           {"deny_packages: [evil*]", "dependencies: [{pip: [evil.thing]}]", "deny_packages: evil*"},
		"too many":                 {"max_packages: 1", "dependencies: [a, b]", "max_packages: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := spec.Parse([]byte(c.spec))
			if err != nil {
				t.Fatal(err)
			}
			if got := said(rules(t, c.rules).CheckSpec(s)); got != c.want {
				t.Errorf("CheckSpec = %q, want %q", got, c.want)
			}
		})
	}
	s, err := spec.Parse([]byte("dependencies:\n  - a\n  - evil\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := rules(t, "deny_packages: [evil]").CheckSpec(s)
	if len(all) != 1 || all[0].Cause != driver.PolicyDenied || all[0].Line != 3 || all[0].Column != 5 || all[0].Package != "evil" {
		t.Errorf("CheckSpec = %+v, want the place of evil", all)
	}
}

func TestArtifactsMustLieBelowAnAllowedChannel(t *testing.T) {
	t.Parallel()
	site := rules(t, "channels: [conda-forge]\nchannel_urls: {conda-forge: 'https://example.org/conda-forge'}\n")
	for url, want := range map[string]string{
		"https://example.org/conda-forge/noarch/x-1-0.conda":                 "",
		"https://EXAMPLE.org:443/conda-forge/noarch/x-1-0.conda":             "",
		"https://example.org/conda-forge/label/rc/noarch/x-1-0.conda":        "",
		"https://example.org/%63onda-forge/noarch/x-1-0.conda":               "",
		"https://example.org/conda-forge-evil/noarch/x-1-0.conda":            "allowed_channels",
		"https://example.org/conda-forge":                                    "allowed_channels",
		"https://example.org/Conda-Forge/noarch/x-1-0.conda":                 "allowed_channels",
		"https://example.org:8443/conda-forge/noarch/x-1-0.conda":            "allowed_channels",
		"http://example.org/conda-forge/noarch/x-1-0.conda":                  "allowed_channels",
		"https://example.org.evil.example/conda-forge/noarch/x-1-0.conda":    "allowed_channels",
		"https://evil.example/https://example.org/conda-forge/x.conda":       "urls",
		"https://example.org@evil.example/conda-forge/noarch/x-1-0.conda":    "urls",
		"https://me:secret@example.org/conda-forge/noarch/x-1-0.conda":       "urls",
		"https://example.org/t/secret/conda-forge/noarch/x-1-0.conda":        "urls",
		"https://example.org/conda-forge/../evil/noarch/x-1-0.conda":         "urls",
		"https://example.org/conda-forge/%2e%2e/evil/noarch/x-1-0.conda":     "urls",
		"https://example.org/conda-forge/..%2fevil/noarch/x-1-0.conda":       "urls",
		"https://example.org/conda-forge/%252e%252e/evil/noarch/x-1-0.conda": "urls",
		"https://example.org/conda-forge/./noarch/x-1-0.conda":               "urls",
		"https://example.org/conda-forge//evil/x-1-0.conda":                  "urls",
		`https://example.org\@evil.example/conda-forge/noarch/x.conda`:       "urls",
		"https://evil.example#@example.org/conda-forge/noarch/x.conda":       "urls",
		"https://example.org/conda-forge/noarch/x.conda?to=evil":             "urls",
		"https://example.org./conda-forge/noarch/x.conda":                    "urls",
		"https://example.org:/conda-forge/noarch/x.conda":                    "urls",
		"https://example.org:0443/conda-forge/noarch/x.conda":                "",
		"https://exаmple.org/conda-forge/noarch/x.conda":                     "urls", // a Cyrillic а
		"https:example.org/conda-forge/noarch/x.conda":                       "urls",
		"//example.org/conda-forge/noarch/x.conda":                           "urls",
		"ftp://example.org/conda-forge/noarch/x.conda":                       "urls",
		"file://evil.example/conda-forge/noarch/x.conda":                     "urls",
		"file:///conda-forge/noarch/x.conda":                                 "allowed_channels",
		"":                                                                   "urls",
		"https://example.org/conda-forge/noarch/x 1.conda":                   "urls",
		"https://example.org/conda-forge/noarch/x\n1.conda":                  "urls",
	} {
		all := site.CheckLock(conda(url), now)
		if got := said(all); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
		for _, f := range all {
			if f.Cause != driver.PolicyDenied || f.Package != "zlib" || strings.Contains(f.Message, "secret") {
				t.Errorf("%q: %+v", url, f)
			}
		}
	}
}

func TestNamesWithoutAddressAreTheOneHostOfTheLock(t *testing.T) {
	t.Parallel()
	with := func(url string, channels ...string) *lock.Lock {
		l := conda(url)
		l.Channels = channels
		return l
	}
	for name, c := range map[string]struct {
		lock *lock.Lock
		want string
	}{
		"the solver's":        {with("https://example.org/conda-forge/noarch/x.conda", "https://example.org/conda-forge/"), ""},
		"a label":             {with("https://example.org/conda-forge/label/rc/noarch/x.conda", "https://example.org/conda-forge/label/rc"), ""},
		"not below it":        {with("https://example.org/other/noarch/x.conda", "https://example.org/conda-forge"), "allowed_channels"},
		"no channel":          {with("https://example.org/conda-forge/noarch/x.conda"), "allowed_channels"},
		"two hosts":           {with("https://example.org/conda-forge/noarch/x.conda", "https://example.org/conda-forge", "https://evil.example/conda-forge"), "allowed_channels"},
		"without encryption":  {with("http://example.org/conda-forge/noarch/x.conda", "http://example.org/conda-forge"), "allowed_channels"},
		"another folder":      {with("https://example.org/x/conda-forge/noarch/x.conda", "https://example.org/x/conda-forge"), "allowed_channels"},
		"the site knows more": {with("https://evil.example/conda-forge/noarch/x.conda", "https://evil.example/conda-forge"), "allowed_channels"},
	} {
		r := policy.Rules{}
		if name == "the site knows more" {
			r.ChannelAlias = "https://example.org"
		}
		if got := said(r.CheckLock(c.lock, now)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestNoImportedLockSaysWhatAChannelIs: its sender chose the host.
func TestNoImportedLockSaysWhatAChannelIs(t *testing.T) {
	t.Parallel()
	at := driver.Places{Channels: map[string]string{"conda-forge": "https://conda.example/conda-forge/", "shut": "https://conda.example/shut"}, Index: "http://10.0.0.1/simple"}
	for name, c := range map[string]struct {
		rules, url string
		at         driver.Places
		want       string
	}{
		"the tool's own channel": {"{}", "https://conda.example/conda-forge/noarch/x.conda", at, ""},
		"the sender's host":      {"{}", "https://evil.example/conda-forge/noarch/x.conda", at, "allowed_channels"},
		"another channel":        {"{}", "https://conda.example/other/noarch/x.conda", at, "allowed_channels"},
		"nothing is known":       {"{}", "https://conda.example/conda-forge/noarch/x.conda", driver.Places{}, "allowed_channels"},
		"the site knows better":  {"channel_alias: https://mirror.example", "https://conda.example/conda-forge/noarch/x.conda", at, "allowed_channels"},
		"denied":                 {"allowed_channels: ['*']\ndenied_channels: [shut]", "https://conda.example/shut/noarch/x.conda", at, "denied_channels: shut"},
		"denied is not allowed":  {"denied_channels: [shut]", "https://conda.example/shut/noarch/x.conda", at, "denied_channels: shut"},
	} {
		l := conda(c.url)
		l.Channels = []string{strings.TrimSuffix(c.url, "/noarch/x.conda")}
		if got := said(rules(t, c.rules).CheckImport(l, c.at)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for url, want := range map[string]string{
		"http://10.0.0.1/files/six.whl": "", "https://public.example/six.whl": "", "http://127.0.0.1/six.whl": "urls", "file:///etc/six.whl": "urls",
	} {
		l := wheels(url)
		l.Indexes = []string{"http://127.0.0.1/simple", "file:///etc"}
		if got := said(policy.Rules{}.CheckImport(l, at)); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestWheelsComeFromAllowedHosts(t *testing.T) {
	t.Parallel()
	const (
		open  = "{}"
		ours  = "index: https://example.org/simple"
		files = "index: https://example.org/simple\nwheel_hosts: [files.example.org]"
		local = "index: http://127.0.0.1:3141/simple"
		stick = "index: file:///srv/wheels"
	)
	for _, c := range []struct{ rules, url, want string }{
		{open, "https://anywhere.example/a/six-1-py3-none-any.whl", ""},
		{open, "http://127.0.0.1:3141/six-1-py3-none-any.whl", "urls"},
		{open, "http://[::1]:3141/six-1-py3-none-any.whl", "urls"},
		{open, "https://[::ffff:127.0.0.1]/six-1-py3-none-any.whl", "urls"},
		{open, "https://127.0.0.1/six-1-py3-none-any.whl", "urls"},
		{open, "https://localhost:8443/six-1-py3-none-any.whl", "urls"},
		{open, "https://a.localhost/six-1-py3-none-any.whl", "urls"},
		{open, "https://169.254.169.254/six-1-py3-none-any.whl", "urls"},
		{open, "https://10.1.2.3:8443/six-1-py3-none-any.whl", "urls"},
		{open, "https://[fe80::1]/six-1-py3-none-any.whl", "urls"},
		{open, "https://[fd00::1]/six-1-py3-none-any.whl", "urls"},
		{open, "https://100.64.1.1/six-1-py3-none-any.whl", "urls"},
		{open, "file:///srv/wheels/six-1-py3-none-any.whl", "urls"},
		{open, "", ""},
		{open, "http://anywhere.example/six-1-py3-none-any.whl", "urls"},
		{open, "http://127.0.0.1.evil.example/six.whl", "urls"},
		{open, "https://anywhere.example/six-1.tar.gz", "urls"},
		{open, "https://me@anywhere.example/six.whl", "urls"},
		{open, "git+https://anywhere.example/six.whl", "urls"},
		{ours, "https://example.org/packages/six.whl", ""},
		{ours, "https://files.example.org/six.whl", "allowed_indexes"},
		{ours, "http://127.0.0.1/six.whl", "allowed_indexes"},
		{ours, "file:///srv/six.whl", "allowed_indexes"},
		{files, "https://files.example.org/six.whl", ""},
		{files, "http://files.example.org/six.whl", "allowed_indexes"},
		{files, "https://files.example.org:8443/six.whl", "allowed_indexes"},
		{files, "https://evil.example/files.example.org/six.whl", "allowed_indexes"},
		{local, "http://127.0.0.1:3141/packages/six.whl", ""},
		{local, "http://127.0.0.1:3142/packages/six.whl", "allowed_indexes"},
		{stick, "file:///srv/wheels/six.whl", ""},
		{stick, "file:///srv/wheels-evil/six.whl", "allowed_indexes"},
		{stick, "file:///etc/six.whl", "allowed_indexes"},
		{"wheel_hosts: ['10.1.2.3']", "https://10.1.2.3/six.whl", ""},
		{"index: https://10.1.2.3/simple", "https://10.1.2.3/files/six.whl", ""},
		{"wheel_hosts: [files.example.org]", "https://other.example/six.whl", "wheel_hosts"},
		{"allowed_indexes: ['*']", "https://other.example/six.whl", ""},
		{"allowed_indexes: ['*']", "file:///etc/six.whl", "allowed_indexes"},
		{"index: file:///srv\nallowed_indexes: ['*', 'file:///srv']", "file:///srv/six.whl", ""},
		{"allowed_indexes: []", "https://other.example/six.whl", "allowed_indexes"},
	} {
		if got := said(rules(t, c.rules).CheckLock(wheels(c.url), now)); got != c.want {
			t.Errorf("%s: %q: %q, want %q", c.rules, c.url, got, c.want)
		}
	}
	l := wheels("http://127.0.0.1:3141/packages/six.whl")
	l.Indexes = []string{"http://127.0.0.1:3141/simple"}
	if got := said(policy.Rules{}.CheckLock(l, now)); got != "" {
		t.Errorf("from the index that the tool uses by itself: %q", got)
	}
	l = wheels("https://example.org/six.whl")
	l.Wheels[0].SHA256 = ""
	if got := said(policy.Rules{}.CheckLock(l, now)); got != "hashes" {
		t.Errorf("without a hash: %q", got)
	}
}

func TestHashesOfTheSpecAreKept(t *testing.T) {
	t.Parallel()
	s, err := spec.Parse([]byte("dependencies:\n- pip:\n  - Six==1 --hash=sha256:" + strings.Repeat("ff", 32) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := wheels("https://example.org/six.whl")
	if all := policy.CheckHashes(s, l); len(all) != 1 || all[0].Cause != driver.HashMismatch || all[0].Line != 3 {
		t.Errorf("CheckHashes = %+v", all)
	}
	l.Wheels[0].SHA256 = strings.Repeat("ff", 32)
	if all := policy.CheckHashes(s, l); len(all) != 0 {
		t.Errorf("CheckHashes = %+v", all)
	}
}

func TestLicencesAreReadAsExpressions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		license, deny string
		refused       bool
	}{
		{"MIT", "GPL*", false},
		{"GPL-3.0-only", "GPL*", true},
		{"gpl-3.0-ONLY", "GPL-3.0-only", true},
		{"LGPL-2.1-or-later", "GPL*", false},
		{"AGPL-3.0", "AGPL*", true},
		{"GPL-3.0", "GPL-3.0-only", true},
		{"GPL-3.0+", "GPL-3.0-or-later", true},
		{"GPL-3.0-or-later", "GPL-3.0-only", false},
		{"MIT OR GPL-3.0", "GPL*", false},
		{"GPL-2.0 OR GPL-3.0", "GPL*", true},
		{"MIT AND GPL-3.0", "GPL*", true},
		{"MIT AND (GPL-3.0 OR BSD-3-Clause)", "GPL*", false},
		{"MIT OR BSD-3-Clause AND GPL-3.0", "GPL*", false},
		{"(MIT OR BSD-3-Clause) AND GPL-3.0", "GPL*", true},
		{"mit or gpl-3.0", "GPL*", false},
		{"GPL-3.0-only WITH GCC-exception-3.1", "GPL-3.0-only", true},
		{"GPL-3.0-only WITH GCC-exception-3.1", "* WITH GCC*", true},
		{"LicenseRef-Proprietary", "LicenseRef-*", true},
		{"GNU General Public License v3 (GPLv3)", "GPL*", true},
		{"MIT License", "GPL*", false},
		{"GPL-3.0 OR", "GPL*", true},
		{"MIT/GPL-3.0", "GPL*", true},
		{"MIT, GPL-3.0", "GPL*", true},
		{strings.Repeat("(", 1000) + "GPL-3.0" + strings.Repeat(")", 1000), "GPL*", true},
		{strings.Repeat("MIT OR ", 1000) + "GPL-3.0", "GPL*", true}, // too long to be read as an expression
		{"", "*GPL*", false},
	} {
		l := conda("https://example.org/conda-forge/noarch/x.conda")
		l.Channels = []string{"https://example.org/conda-forge"}
		l.Packages[0].License = c.license
		want := ""
		if c.refused {
			want = "deny_licenses: " + c.deny
		}
		if got := said(policy.Rules{DenyLicenses: []string{c.deny}}.CheckLock(l, now)); got != want {
			t.Errorf("%.80s against %s: %q, want %q", c.license, c.deny, got, want)
		}
	}
	if got := said(policy.Rules{DenyUnknownLicenses: true}.CheckLock(wheels("https://example.org/x.whl"), now)); got != "deny_unknown_licenses" {
		t.Errorf("without a licence: %q", got)
	}
}

func TestArtifactsMustBeOldEnough(t *testing.T) {
	t.Parallel()
	site := "minimum_age: 7d\n"
	young, old := now.Add(-24*time.Hour), now.Add(-8*24*time.Hour)
	l := &lock.Lock{Wheels: []lock.Wheel{
		{Name: "young", SHA256: hash, Uploaded: young.Format(time.RFC3339)},
		{Name: "old", SHA256: hash, Uploaded: old.Format(time.RFC3339)},
		{Name: "unknown", SHA256: hash},
		{Name: "future", SHA256: hash, Uploaded: now.Add(time.Hour).Format(time.RFC3339)},
	}}
	for _, p := range []struct {
		name  string
		stamp int64
	}{{"young-conda", young.UnixMilli()}, {"old-conda", old.UnixMilli()}, {"ancient", 1_500_000_000}, {"unknown-conda", 0}} {
		l.Packages = append(l.Packages, lock.Package{Name: p.name, URL: "file:///c/noarch/x.conda", SHA256: hash, Timestamp: p.stamp})
	}
	names := func(all []driver.Failure) string {
		var list []string
		for _, f := range all {
			list = append(list, f.Package)
		}
		return strings.Join(list, " ")
	}
	if got := names(rules(t, site+"allowed_channels: ['*']").CheckLock(l, now)); got != "young-conda young future" {
		t.Errorf("refused %s", got)
	}
	if got := names(rules(t, site+"deny_unknown_age: true\nallowed_channels: ['*']").CheckLock(l, now)); got != "young-conda unknown-conda young unknown future" {
		t.Errorf("refused %s", got)
	}
}

func TestLimitsCountPackagesAndBytes(t *testing.T) {
	t.Parallel()
	l := wheels("https://example.org/a.whl", "https://example.org/b.whl")
	l.Wheels[0].Size, l.Wheels[1].Size = 600, 600
	if got := said(rules(t, "max_packages: 1\nmax_artifact_bytes: 1kB").CheckLock(l, now)); got != "max_packages: 1; max_artifact_bytes: 1 kB" {
		t.Errorf("refused by %q", got)
	}
	if got := said(rules(t, "max_packages: 2\nmax_artifact_bytes: 1200\ndeny_packages: [SIX]").CheckLock(l, now)); got != "deny_packages: SIX; deny_packages: SIX" {
		t.Errorf("refused by %q", got)
	}
}

func TestPrivateChannelsAreForTheirProjects(t *testing.T) {
	t.Parallel()
	site := rules(t, `
channel_urls: {ours: https://example.org/ours, open: https://example.org/open}
private_channels: {ours: [alpha]}
`)
	private, public := conda("https://example.org/ours/noarch/x.conda"), conda("https://example.org/open/noarch/x.conda")
	if site.Domain(private) != "ours" || site.Domain(public) != "" {
		t.Errorf("domains %q and %q, want ours and none", site.Domain(private), site.Domain(public))
	}
	if got := said(site.For("alpha").CheckLock(private, now)); got != "" {
		t.Errorf("alpha is refused by %q", got)
	}
	if got := said(site.For("beta").CheckLock(private, now)); got != "denied_channels: ours" {
		t.Errorf("beta is refused by %q", got)
	}
	if got := said(site.For("beta").CheckLock(public, now)); got != "" {
		t.Errorf("beta is refused the open channel by %q", got)
	}
	s, err := spec.Parse([]byte("channels: [ours]\ndependencies: ['https://example.org/ours::x']"))
	if err != nil {
		t.Fatal(err)
	}
	if got := said(site.For("beta").CheckSpec(s)); got != "denied_channels: ours; denied_channels: https://example.org/ours" {
		t.Errorf("beta's spec is refused by %q", got)
	}
}

func TestPrivateChannelsAmongTheDefaultsAreForTheirProjectsAlone(t *testing.T) {
	t.Parallel()
	site := rules(t, `
channels: [corp, open]
channel_urls: {corp: https://example.org/hush, same: https://example.org/hush/label/rc, open: https://example.org/open}
allowed_channels: [open, 'https://example.org/hush', corp]
denied_channels: [https://example.org/hush/label/old]
private_channels: {corp: [alpha, gamma]}
`)
	none, err := spec.Parse([]byte("dependencies: [x]"))
	if err != nil {
		t.Fatal(err)
	}
	for project, want := range map[string]string{
		"alpha": "https://example.org/hush https://example.org/open", "beta": "https://example.org/open", "": "https://example.org/open",
	} {
		if got := strings.Join(site.For(project).Channels(none), " "); got != want {
			t.Errorf("channels of %q = %s, want %s", project, got, want)
		}
	}
	told := func(project string) string {
		shown := site.Shown(project)
		b, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + strings.Join(shown.Describe(), " ")
	}
	if got := told("beta"); strings.Contains(got, "corp") || strings.Contains(got, "hush") || strings.Contains(got, "gamma") || !strings.Contains(got, "open") {
		t.Errorf("beta is told %s, want nothing of the private channel", got)
	}
	if got := told("alpha"); !strings.Contains(got, "corp") || !strings.Contains(got, "hush") || strings.Contains(got, "gamma") {
		t.Errorf("alpha is told %s, want its channel and not who else has it", got)
	}
	asks, err := spec.Parse([]byte("channels: [other]\ndependencies: [x]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range site.For("beta").CheckSpec(asks) {
		if strings.Contains(f.Message, "corp") || strings.Contains(f.Message, "hush") {
			t.Errorf("beta is told %q, want nothing of the private channel", f.Message)
		}
	}
}

func TestDescribeTellsEveryRule(t *testing.T) {
	t.Parallel()
	text := strings.Join(rules(t, `
channels: [conda-forge]
denied_channels: [bad]
channel_urls: {ours: https://example.org/ours}
private_channels: {ours: [alpha]}
index: https://example.org/simple
wheel_hosts: [files.example.org]
deny_packages: [evil]
deny_licenses: [AGPL*]
deny_unknown_licenses: true
minimum_age: 7d
deny_unknown_age: true
max_packages: 500
max_artifact_bytes: 20GB
max_environments: 10
`).Describe(), "\n")
	want := `Conda packages come from conda-forge, ours, and from conda-forge where environment.yml names no channel.
Refused channels: bad.
The channel ours is for the projects alpha; what is built from it is not shared with others.
Python packages come as wheels, checked by their hashes, from https://example.org/simple; their files lie there or on files.example.org.
Refused packages: evil.
Refused licences: AGPL*; of alternatives one must be left.
Packages must say their licence.
Packages must have been released 7d ago or earlier. Those that do not say when are refused.
An environment has at most 500 packages.
The files of an environment's packages have at most 20 GB together.
A project has at most 10 environments.`
	if text != want {
		t.Errorf("Describe:\n%s\nwant:\n%s", text, want)
	}
	if got := (policy.Rules{}).Describe()[0]; got != "Conda packages come from conda-forge." {
		t.Errorf("Describe() of channels that are allowed and the default = %q, want them once", got)
	}
	if got := (policy.Rules{}).Describe(); len(got) != 2 {
		t.Errorf("no rules are described as %q", got)
	}
}
