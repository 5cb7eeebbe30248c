import { useState } from "react";
import { address, paths } from "../../api/client";
import type { Build, Environment, ExportFormat } from "../../api/environments";
import { useList } from "../../api/store";
import { Button } from "../../parts/Button";
import { CopyText } from "../../parts/CopyText";
import { Empty } from "../../parts/Empty";
import { DownloadIcon } from "../../parts/icons";
import { ArchivePart } from "./Archive";
import { NewEnvironment } from "./NewEnvironment";
import { useRights } from "./rights";

const formats: { format: ExportFormat; name: string; what: string }[] = [
  { format: "spec", name: "As written", what: "environment.yml with its comments" },
  { format: "environment", name: "environment.yml with exact versions", what: "for conda, mamba and micromamba on any platform" },
  { format: "explicit", name: "Explicit list", what: "every conda package by address and hash; needs no solver" },
  { format: "conda-lock", name: "conda-lock", what: "conda packages and wheels, with hashes" },
  { format: "requirements", name: "requirements.txt with hashes", what: "for pip and uv" },
  { format: "cyclonedx", name: "CycloneDX", what: "a bill of materials for auditors and scanners" },
  { format: "lock", name: "Lock", what: "all of it in Hopyard's own form: makes exactly this again" },
];

/** How the same environment is used in other places. */
export function UseElsewhere({ environment }: { environment: Environment }) {
  const { project, name, active } = environment;
  const builds = useList<Build>(paths.builds(project, name)).data?.filter((b) => b.state === "ready" || b.state === "collected");
  const [chosen, setChosen] = useState<number>();
  const { writes } = useRights(project);
  const build = chosen ?? active?.build;
  if (build === undefined) return <Empty title="Nothing is built yet">When the first build is ready it can be used elsewhere, too.</Empty>;
  return (
    <>
      {builds && builds.length > 1 && (
        <label className="compare">
          <span className="soft">Which build</span>
          <select className="control" value={build} onChange={(event) => setChosen(Number(event.target.value))}>
            {builds.map((b) => (
              <option key={b.build} value={b.build}>
                build {b.build}
                {b.active ? " (active)" : ""}
              </option>
            ))}
          </select>
        </label>
      )}
      <section className="section" aria-labelledby="command-line">
        <h2 id="command-line">On the command line</h2>
        <CopyText label="the command" text={`hopyard env run ${name} --project ${project} -- python script.py`} />
        <p className="small soft">Runs a program in the active build, with its variables set. Nothing is to be activated first.</p>
      </section>
      <Exports project={project} name={name} build={build} />
      {environment.kind === "conda" ? (
        <ArchivePart key={build} project={project} name={name} build={build} writes={writes} />
      ) : (
        <section className="section" aria-labelledby="archive">
          <h2 id="archive">Packed for a cluster</h2>
          <p className="soft">Environments of wheels stand on a Python of this host and cannot be packed. Install requirements.txt with hashes there instead.</p>
        </section>
      )}
      {writes && <FromNotebook project={project} />}
    </>
  );
}

function Exports({ project, name, build }: { project: string; name: string; build: number }) {
  return (
    <section className="section" aria-labelledby="exports">
      <h2 id="exports">Files</h2>
      <ul className="list">
        {formats.map(({ format, name: title, what }) => (
          <li key={format} className="list-row slim">
            <div className="list-main">
              <span className="list-name">{title}</span> <span className="small soft export-what">{what}</span>
            </div>
            <a className="button quiet" href={address(paths.exported(project, name, build, format))} download aria-label={`Download ${title}`}>
              <DownloadIcon />
              <span className="wide-only">Download</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function FromNotebook({ project }: { project: string }) {
  const [open, setOpen] = useState(false);
  return (
    <section className="section" aria-labelledby="from-notebook">
      <h2 id="from-notebook">From a notebook</h2>
      <p className="soft">A notebook remembers the build that it ran with. The same environment can be made again from it, to the byte.</p>
      <div>
        <Button onClick={() => setOpen(true)}>Re-create an environment</Button>
      </div>
      {open && <NewEnvironment project={project} taken={[]} source="notebook" onClose={() => setOpen(false)} />}
    </section>
  );
}
