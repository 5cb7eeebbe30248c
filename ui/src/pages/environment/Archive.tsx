import { address, paths, send } from "../../api/client";
import type { Archive } from "../../api/environments";
import { invalidate, useThing } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { CopyText } from "../../parts/CopyText";
import { DownloadIcon } from "../../parts/icons";
import { byteSize } from "../../text/size";
import { FailureNote, ProblemNote } from "./FailureNote";
import { settingsText } from "./settingsText";

interface Props {
  project: string;
  name: string;
  build: number;
  writes: boolean;
}

/** A packed archive of a build for clusters, and the settings that make a cluster use it. The stream of changes tells when it is packed. */
export function ArchivePart({ project, name, build, writes }: Props) {
  const path = paths.archive(project, name, build);
  const { data: archive, error } = useThing<Archive>(path);
  const action = useAction();
  const packing = archive?.state === "building";

  function pack() {
    void action.run(async () => {
      await send("POST", path);
      invalidate(path);
    });
  }

  return (
    <section className="section" aria-labelledby="archive">
      <h2 id="archive">Packed for a cluster</h2>
      <ProblemNote error={error ?? action.error} />
      {archive?.failure && <FailureNote failure={archive.failure} />}
      {archive && archive.state !== "ready" && (
        <div className="archive-row">
          <p className="soft grow">{packing ? "Packing build " + build + "…" : "The whole environment in one file that runs on machines without Hopyard, such as Spark and Flink workers."}</p>
          {writes && (
            <Button busy={packing || action.busy} onClick={pack}>
              Pack it
            </Button>
          )}
        </div>
      )}
      {archive?.state === "ready" && <Packed archive={archive} file={address(paths.archiveFile(project, name, build))} />}
    </section>
  );
}

function Packed({ archive, file }: { archive: Archive; file: string }) {
  return (
    <>
      <div className="archive-row">
        <div className="grow">
          <div className="number">{byteSize(archive.bytes ?? 0)}</div>
          {archive.sha256 && (
            <div className="small soft hash" title="SHA-256 of the file">
              {archive.sha256}
            </div>
          )}
        </div>
        <a className="button" href={file} download>
          <span className="button-label">
            <DownloadIcon />
            Download
          </span>
        </a>
      </div>
      <Settings title="Spark" settings={archive.spark} separator=" " />
      <Settings title="Flink" settings={archive.flink} separator=": " />
    </>
  );
}

function Settings({ title, settings, separator }: { title: string; settings: Record<string, string> | undefined; separator: string }) {
  if (!settings || Object.keys(settings).length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <CopyText label={`the settings for ${title}`} text={settingsText(settings, separator)} />
    </div>
  );
}
