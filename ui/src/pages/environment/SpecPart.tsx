import { useState } from "react";
import { paths, send, type ApiError } from "../../api/client";
import type { Build, Environment, Revision } from "../../api/environments";
import { asApiError, invalidate, useThing } from "../../api/store";
import { Button } from "../../parts/Button";
import { ErrorNote } from "../../parts/ErrorNote";
import { FilePick } from "../../parts/FileDrop";
import { notify } from "../../parts/notices";
import { Time } from "../../parts/Time";
import { navigate, to } from "../../router";
import { byWords } from "../../text/environment";
import { kindOfFile } from "./editing";
import { ProblemNote } from "./FailureNote";
import { Review } from "./Review";
import { Revisions } from "./Revisions";
import { StaleNote } from "./StaleNote";
import { YamlEditor, type Place } from "./YamlEditor";

/** A text that is being written, and the revision that it began from. */
export interface SpecDraft {
  base: number;
  text: string;
}

interface Props {
  environment: Environment;
  writes: boolean;
  draft: SpecDraft | undefined;
  onDraft: (draft: SpecDraft | undefined) => void;
}

const byDefault = "edit environment.yml";

/** environment.yml: the newest revision, to be read and changed, and those before it. */
export function SpecPart({ environment, writes, draft, onDraft }: Props) {
  const { project, name } = environment;
  const { data: newest, error } = useThing<Revision>(paths.spec(project, name));
  const [reviewing, setReviewing] = useState(false);
  const [refused, setRefused] = useState<ApiError>();
  const text = draft?.text ?? newest?.text ?? "";
  const changed = draft !== undefined && draft.text !== newest?.text;
  const stale = changed && newest !== undefined && draft.base !== newest.revision;

  function write(next: string) {
    setRefused(undefined);
    if (newest) onDraft(next === newest.text ? undefined : { base: draft?.base ?? newest.revision, text: next });
  }

  function takeFile(file: string, content: string) {
    if (kindOfFile(file, content) === "environment") return write(content);
    notify(`${file} is no environment.yml. “New environment” takes other files.`);
  }

  async function build(message: string) {
    try {
      const { revision, build } = await send<{ revision: Revision; build?: Build }>("PUT", paths.spec(project, name), { text, message: message || byDefault, build: true }, { ifMatch: etagOf(draft?.base ?? newest?.revision) });
      onDraft(undefined);
      refresh();
      notify(`Revision ${revision.revision} is saved.`);
      if (build) navigate(to.build(project, name, build.build));
      else setReviewing(false);
    } catch (thrown) {
      const problem = asApiError(thrown);
      if (problem.status === 409 && !problem.failure) refresh(); // somebody else was faster: their text comes, and with it the choice
      throw problem;
    }
  }

  function refresh() {
    invalidate(paths.environment(project, name), `${paths.environment(project, name)}/`);
  }

  return (
    <section className="section" aria-label="environment.yml">
      <div className="tools-row">
        <p className="soft grow">{newest && <Author revision={newest} since={changed ? draft.base : undefined} />}</p>
        {writes && (
          <>
            <FilePick accept=".yml,.yaml,text/yaml" onFile={takeFile} onRefused={notify}>
              Upload a file
            </FilePick>
            {changed && (
              <Button look="quiet" onClick={() => onDraft(undefined)}>
                Discard
              </Button>
            )}
            <Button look="main" disabled={!changed || stale} onClick={() => setReviewing(true)}>
              Review changes
            </Button>
          </>
        )}
      </div>
      <ErrorNote error={error} />
      {stale && <StaleNote theirs={newest} mine={draft.text} onKeep={() => onDraft({ ...draft, base: newest.revision })} onTake={() => onDraft(undefined)} />}
      <YamlEditor
        label="environment.yml"
        value={text}
        readOnly={!writes || !newest}
        wrong={placeOf(refused)}
        onChange={write}
        onFile={takeFile}
        onRefused={notify}
        onSubmit={() => changed && !stale && setReviewing(true)}
      />
      <ProblemNote error={refused} onTake={nameTaker(text, refused, write)} />
      <Revisions environment={environment} newest={newest} onLoad={writes ? write : undefined} />
      {reviewing && (
        <Review
          project={project}
          name={name}
          asked={{ text }}
          message={byDefault}
          onTake={(wrong, right) => write(withName(text, wrong, right))}
          onBuild={build}
          onRefused={setRefused}
          onClose={() => setReviewing(false)}
        />
      )}
    </section>
  );
}

function Author({ revision, since }: { revision: Revision; since: number | undefined }) {
  if (since !== undefined) return <>Changed here since revision {since}; not saved yet.</>;
  return (
    <>
      Revision {revision.revision}, {byWords(revision.author)} <Time at={revision.created} />
      {revision.message && <>: {revision.message}</>}
    </>
  );
}

function etagOf(revision: number | undefined): string {
  return `"r${revision ?? 0}"`;
}

function placeOf(error: ApiError | undefined): Place | undefined {
  const { line = 0, column = 1 } = error?.failure ?? {};
  return line > 0 ? { line, column } : undefined;
}

function nameTaker(text: string, error: ApiError | undefined, write: (text: string) => void): ((name: string) => void) | undefined {
  const wrong = error?.failure?.package;
  return wrong ? (right) => write(withName(text, wrong, right)) : undefined;
}

/** The text with another name in the place of a package's, wherever it is a dependency. */
export function withName(text: string, wrong: string, right: string): string {
  const name = wrong.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`^(\\s*-\\s*["']?(?:[\\w./-]+::)?)${name}(?![\\w.-])`, "gim"), (_, lead: string) => lead + right);
}
