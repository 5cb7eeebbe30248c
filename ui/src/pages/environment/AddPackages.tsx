import { useEffect, useState } from "react";
import { paths } from "../../api/client";
import type { Edit, Found, From, Kind } from "../../api/environments";
import { useThing } from "../../api/store";
import type { Page } from "../../api/types";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { DoneIcon } from "../../parts/icons";
import { adding, notAdding } from "./draft";
import { ProblemNote } from "./FailureNote";

interface Props {
  project: string;
  kind: Kind;
  edit: Edit;
  onEdit: (edit: Edit) => void;
  onReview: () => void;
  onClose: () => void;
}

const sources = [
  { value: "conda", name: "conda" },
  { value: "pip", name: "PyPI" },
] as const;

const settle = 250; // a word that is being typed is searched once

/** Finds packages and gathers those to add. */
export function AddPackages({ project, kind, edit, onEdit, onReview, onClose }: Props) {
  const [text, setText] = useState("");
  const [from, setFrom] = useState<From>(kind === "venv" ? "pip" : "conda");
  const wanted = useSettled(text.trim(), settle);
  const { data, error } = useThing<Page<Found>>(wanted ? paths.searchPackages(project, wanted, from) : undefined);

  return (
    <Dialog title="Add packages" wide onClose={onClose}>
      <div className="add-search">
        <input
          type="search"
          className="control"
          aria-label="Search packages"
          placeholder="Search packages by name"
          value={text}
          data-first
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setText(event.target.value)}
        />
        {kind === "conda" && <Choice label="Where to search" options={sources} value={from} onChange={setFrom} />}
      </div>
      <ProblemNote error={error} />
      <ul className="found" aria-busy={wanted !== "" && !data && !error} aria-label="Packages found">
        <Results wanted={wanted} results={data?.items} failed={error !== undefined} edit={edit} onEdit={onEdit} />
      </ul>
      <Gathered edit={edit} onEdit={onEdit} />
      <DialogFoot>
        <Button onClick={onClose}>Done</Button>
        <Button look="main" disabled={edit.add.length === 0} onClick={onReview}>
          Review changes
        </Button>
      </DialogFoot>
    </Dialog>
  );
}

interface ResultsProps {
  wanted: string;
  results: Found[] | undefined;
  failed: boolean;
  edit: Edit;
  onEdit: (edit: Edit) => void;
}

function Results({ wanted, results, failed, edit, onEdit }: ResultsProps) {
  if (wanted === "") return <li className="found-none soft">Packages whose names begin like what you type show up here.</li>;
  if (failed) return null;
  if (!results) return <li className="found-none soft">Searching…</li>;
  if (results.length === 0) return <li className="found-none soft">Nothing is called “{wanted}” there.</li>;
  return results.map((found) => (
    <Result key={`${found.from} ${found.name}`} found={found} chosen={edit.add.some((w) => w.name === found.name)} onAdd={(version) => onEdit(adding(edit, { name: found.name, from: found.from, ...(version && { version }) }))} />
  ));
}

function Result({ found, chosen, onAdd }: { found: Found; chosen: boolean; onAdd: (version: string) => void }) {
  const [version, setVersion] = useState("");
  const versions = found.versions ?? [];
  const facts = [found.license, found.channel].filter(Boolean).join(" · ");
  return (
    <li className="found-row">
      <div className="found-main">
        <div className="list-name">{found.name}</div>
        <div className="small soft found-about">{found.summary || facts || (versions[0] ? `newest ${versions[0]}` : "\u00a0")}</div>
      </div>
      <select className="control" aria-label={`Version of ${found.name}`} value={version} onChange={(event) => setVersion(event.target.value)}>
        <option value="">{versions[0] ? `any (${versions[0]})` : "any"}</option>
        {versions.map((v) => (
          <option key={v} value={v}>
            {v}
          </option>
        ))}
      </select>
      <Button look={chosen ? "quiet" : "plain"} aria-label={chosen ? `${found.name} is added` : `Add ${found.name}`} onClick={() => onAdd(version)}>
        {chosen ? <DoneIcon /> : "Add"}
      </Button>
    </li>
  );
}

function Gathered({ edit, onEdit }: { edit: Edit; onEdit: (edit: Edit) => void }) {
  return (
    <div className="gathered" aria-live="polite">
      {edit.add.length === 0 ? (
        <span className="soft small">Nothing chosen yet.</span>
      ) : (
        edit.add.map((wanted) => (
          <button key={wanted.name} type="button" className="chip" aria-label={`Leave out ${wanted.name}`} onClick={() => onEdit(notAdding(edit, wanted.name))}>
            {wanted.name}
            {wanted.version && <span className="soft"> {wanted.version}</span>}
            {wanted.from === "pip" && <span className="soft"> PyPI</span>}
            <span aria-hidden="true"> ×</span>
          </button>
        ))
      )}
    </div>
  );
}

/** A value once it has not changed for a while. */
function useSettled(value: string, wait: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), wait);
    return () => clearTimeout(timer);
  }, [value, wait]);
  return settled;
}
