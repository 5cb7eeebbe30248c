import { useState } from "react";
import { paths } from "../../api/client";
import type { Build, Environment } from "../../api/environments";
import { useList, useThing } from "../../api/store";
import type { Me } from "../../api/types";
import { Field } from "../../parts/Field";
import { FileDrop, FilePick } from "../../parts/FileDrop";
import { byteSize } from "../../text/size";
import { kindOfFile } from "./editing";
import type { SourceProps } from "./NewEnvironment";
import { fileWords } from "./content";
import { YamlEditor } from "./YamlEditor";

/** An environment.yml that is written here. */
export function TextSource({ content, error, onChange }: SourceProps) {
  const [refused, setRefused] = useState("");
  const { line = 0, column = 1 } = error?.failure ?? {};
  return (
    <>
      <YamlEditor
        label="environment.yml"
        value={content.text}
        rows={10}
        wrong={line > 0 ? { line, column } : undefined}
        onChange={(text) => onChange({ ...content, text })}
        onFile={(name, text) => onChange({ ...content, source: "file", file: { name, text } })}
        onRefused={setRefused}
      />
      {refused && <p className="small wrong">{refused}</p>}
    </>
  );
}

/** A file of the reader's own. */
export function FileSource({ content, onChange }: SourceProps) {
  const [refused, setRefused] = useState("");
  const { file } = content;

  function take(name: string, text: string) {
    setRefused("");
    onChange({ ...content, file: { name, text } });
  }

  return (
    <FileDrop onFile={take} onRefused={setRefused}>
      <div className="drop-place">
        {file ? (
          <p>
            <strong>{file.name}</strong>, {byteSize(file.text.length)}, <span className="soft">{fileWords[kindOfFile(file.name, file.text)]}</span>
          </p>
        ) : (
          <p className="soft">environment.yml, requirements.txt, an explicit list, conda-lock, or a lock exported here. Drop it, or</p>
        )}
        <FilePick accept=".yml,.yaml,.txt,.json,.lock,text/*" onFile={take} onRefused={setRefused}>
          {file ? "Choose another" : "Choose a file"}
        </FilePick>
        {refused && <p className="small wrong">{refused}</p>}
      </div>
    </FileDrop>
  );
}

/** Another environment, of this project or another of the reader's. */
export function CopySource({ content, onChange }: SourceProps) {
  const { from } = content;
  const projects = useThing<Me>(paths.me).data?.projects ?? [];
  const { data: environments, error } = useList<Environment>(paths.environments(from.project));
  const builds = useList<Build>(from.environment ? paths.builds(from.project, from.environment) : undefined).data?.filter((b) => b.lock && b.state !== "failed");
  const names = [...new Set([from.project, ...projects.map((p) => p.name)])];
  return (
    <div className="three">
      <Field label="Project">
        {(field) => (
          <select {...field} value={from.project} onChange={(e) => onChange({ ...content, from: { project: e.target.value, environment: "" } })}>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Environment" wrong={error !== undefined} hint={error?.message}>
        {(field) => (
          <select {...field} value={from.environment} onChange={(e) => onChange({ ...content, from: { project: from.project, environment: e.target.value } })}>
            <option value="">Choose…</option>
            {environments?.map((e) => (
              <option key={e.name}>{e.name}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Build">
        {(field) => (
          <select
            {...field}
            value={from.build ?? 0}
            onChange={(e) => {
              const build = Number(e.target.value);
              onChange({ ...content, from: { project: from.project, environment: from.environment, ...(build > 0 && { build }) } });
            }}
          >
            <option value={0}>the active one</option>
            {builds?.map((b) => (
              <option key={b.build} value={b.build}>
                {b.build}
                {b.reason ? `: ${b.reason}` : ""}
              </option>
            ))}
          </select>
        )}
      </Field>
    </div>
  );
}

/** A notebook of the project, whose metadata names the build that it ran with. */
export function NotebookSource({ content, onChange }: SourceProps) {
  return (
    <Field label="Notebook" hint="Its path in the project. Exactly the packages that it ran with are built again.">
      {(field) => <input {...field} value={content.notebook} placeholder="analysis/first.ipynb" onChange={(e) => onChange({ ...content, notebook: e.target.value })} autoComplete="off" spellCheck={false} />}
    </Field>
  );
}
