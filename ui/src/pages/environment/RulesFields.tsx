// The fields of a form that edits rules, in the groups that people think of.

import type { ReactNode } from "react";
import type { RuleSet } from "../../api/environments";
import { Choice } from "../../parts/Choice";
import { Entries } from "../../parts/Entries";
import { Field } from "../../parts/Field";
import { daysOf, entriesIn, siteChannels, siteIndexes, type Complaints, type RulesDraft } from "./rulesDraft";
import { daysWords, gigabytes } from "./rulesWords";

/** A part of the form. */
export interface RulesProps {
  /** What the site demands: it stands in the fields and stays there. */
  site: RuleSet;
  draft: RulesDraft;
  complaints: Complaints;
  change: (more: Partial<RulesDraft>) => void;
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className="rules-group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}

const bySite = "by the site";

export function SourceRules({ site, draft, complaints, change }: RulesProps) {
  const indexes = siteIndexes(site);
  return (
    <Group title="Where packages come from">
      <Allowed
        label="Allowed channels"
        of={siteChannels(site)}
        entries={draft.allowedChannels}
        onChange={(allowedChannels) => change({ allowedChannels })}
        none="With none, nothing is taken from conda channels."
        complaint={complaints.allowed_channels}
      />
      <Entries
        label="Refused channels"
        fixed={site.denied_channels ?? []}
        fixedBy={bySite}
        entries={draft.deniedChannels}
        onChange={(deniedChannels) => change({ deniedChannels })}
        cut={(text) => entriesIn(text, draft.deniedChannels, site.denied_channels ?? [])}
        placeholder="A channel's name or address"
        hint={complaints.denied_channels ?? "Even if they are allowed above."}
        wrong={complaints.denied_channels !== undefined}
      />
      {indexes && (
        <Allowed
          label="Allowed package indexes"
          of={indexes}
          entries={draft.allowedIndexes}
          onChange={(allowedIndexes) => change({ allowedIndexes })}
          none="With none, no wheels are installed."
          complaint={complaints.allowed_indexes}
        />
      )}
    </Group>
  );
}

interface AllowedProps {
  label: string;
  /** What the site allows. */
  of: string[];
  /** Undefined allows all of it. */
  entries: string[] | undefined;
  onChange: (entries: string[] | undefined) => void;
  none: string;
  complaint: string | undefined;
}

const allowing = [
  { value: "all", name: "All that the site allows" },
  { value: "some", name: "Only these" },
] as const;

/** A choice of what the site allows. */
function Allowed({ label, of, entries, onChange, none, complaint }: AllowedProps) {
  return (
    <div className="field">
      <span className="field-label">{label}</span>
      <Choice label={label} options={allowing} value={entries ? "some" : "all"} onChange={(chosen) => onChange(chosen === "some" ? of.filter((entry) => entry !== "*") : undefined)} />
      {entries ? (
        <Entries
          label={`${label}: only these`}
          labelUnseen
          fixed={[]}
          fixedBy={bySite}
          entries={entries}
          onChange={onChange}
          cut={(text) => entriesIn(text, entries)}
          placeholder="A name or an address"
          hint={complaint ?? (entries.length === 0 ? none : `The site allows ${of.join(", ")}.`)}
          wrong={complaint !== undefined}
        />
      ) : (
        <div className="hint">{of.includes("*") ? "Any." : of.join(", ") || "None."}</div>
      )}
    </div>
  );
}

export function RefusedRules({ site, draft, complaints, change }: RulesProps) {
  return (
    <Group title="What is refused">
      <Entries
        label="Refused packages"
        fixed={site.deny_packages ?? []}
        fixedBy={bySite}
        entries={draft.denyPackages}
        onChange={(denyPackages) => change({ denyPackages })}
        cut={(text) => entriesIn(text, draft.denyPackages, site.deny_packages ?? [])}
        placeholder="A package's name"
        hint={complaints.deny_packages ?? "A * stands for any letters: tensorflow*"}
        wrong={complaints.deny_packages !== undefined}
      />
      <Entries
        label="Refused licences"
        fixed={site.deny_licenses ?? []}
        fixedBy={bySite}
        entries={draft.denyLicenses}
        onChange={(denyLicenses) => change({ denyLicenses })}
        cut={(text) => entriesIn(text, draft.denyLicenses, site.deny_licenses ?? [])}
        placeholder="An SPDX identifier"
        hint={complaints.deny_licenses ?? "As in AGPL-3.0-only, or AGPL* for all of them."}
        wrong={complaints.deny_licenses !== undefined}
      />
      <Demand
        text="Refuse packages that do not say their licence"
        site={site.deny_unknown_licenses}
        checked={draft.denyUnknownLicenses}
        onChange={(denyUnknownLicenses) => change({ denyUnknownLicenses })}
      />
    </Group>
  );
}

export function AgeRules({ site, draft, complaints, change }: RulesProps) {
  const days = daysOf(site.minimum_age);
  return (
    <Group title="How old packages must be">
      <Amount
        label="Days since their release"
        value={draft.days}
        onChange={(typed) => change({ days: typed })}
        complaint={complaints.minimum_age}
        site={days > 0 ? `The site asks for ${daysWords(days)}; the longer time counts.` : "The site asks for none."}
      />
      <Demand
        text="Refuse packages that do not say when they were released"
        site={site.deny_unknown_age}
        checked={draft.denyUnknownAge}
        onChange={(denyUnknownAge) => change({ denyUnknownAge })}
      />
    </Group>
  );
}

export function LimitRules({ site, draft, complaints, change }: RulesProps) {
  const { max_packages: packages, max_artifact_bytes: bytes } = site;
  return (
    <Group title="How large it may be">
      <div className="two">
        <Amount
          label="Packages, at most"
          value={draft.maxPackages}
          onChange={(maxPackages) => change({ maxPackages })}
          complaint={complaints.max_packages}
          site={packages ? `The site allows ${packages}; the lower limit counts.` : "The site sets no limit."}
        />
        <Amount
          label="Size of all files in GB, at most"
          value={draft.maxGigabytes}
          onChange={(maxGigabytes) => change({ maxGigabytes })}
          complaint={complaints.max_artifact_bytes}
          site={bytes ? `The site allows ${gigabytes(bytes)}; the lower limit counts.` : "The site sets no limit."}
        />
      </div>
    </Group>
  );
}

interface AmountProps {
  label: string;
  value: string;
  onChange: (typed: string) => void;
  complaint: string | undefined;
  site: string;
}

function Amount({ label, value, onChange, complaint, site }: AmountProps) {
  return (
    <Field label={label} hint={complaint ?? site} wrong={complaint !== undefined}>
      {(field) => <input {...field} className="control amount" inputMode="decimal" autoComplete="off" value={value} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}

interface DemandProps {
  text: string;
  /** The site demands it already. */
  site: boolean | undefined;
  checked: boolean;
  onChange: (checked: boolean) => void;
}

function Demand({ text, site = false, checked, onChange }: DemandProps) {
  return (
    <label className="check">
      <input type="checkbox" checked={site || checked} disabled={site} onChange={(event) => onChange(event.target.checked)} />
      <span>
        {text} {site && <span className="small soft">({bySite})</span>}
      </span>
    </label>
  );
}
