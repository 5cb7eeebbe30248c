import { useState } from "react";
import { paths } from "../../api/client";
import type { Environment, Revision } from "../../api/environments";
import { useList } from "../../api/store";
import { Button } from "../../parts/Button";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { Time } from "../../parts/Time";
import { byWords } from "../../text/environment";
import { LineDiff } from "./LineDiff";

interface Props {
  environment: Environment;
  newest: Revision | undefined;
  /** Puts a text into the editor. */
  onLoad: ((text: string) => void) | undefined;
}

const most = 8;

/** Who changed environment.yml, when and why. */
export function Revisions({ environment, newest, onLoad }: Props) {
  const revisions = useList<Revision>(paths.revisions(environment.project, environment.name)).data;
  const [all, setAll] = useState(false);
  const [shown, setShown] = useState<Revision>();
  if (!revisions || revisions.length < 2) return null;
  return (
    <section className="section" aria-labelledby="revisions">
      <h2 id="revisions">Revisions</h2>
      <div className="list">
        {revisions.slice(0, all ? undefined : most).map((revision) => (
          <div key={revision.revision} className="list-row slim">
            <span className="number revision">{revision.revision}</span>
            <div className="list-main">
              {revision.message || "No message"}{" "}
              <span className="small soft">
                {byWords(revision.author)}, <Time at={revision.created} />
              </span>
            </div>
            {revision.revision === newest?.revision ? (
              <span className="small soft">newest</span>
            ) : (
              <Button look="quiet" aria-label={`Compare revision ${revision.revision} with the newest`} onClick={() => setShown(revision)}>
                Compare
              </Button>
            )}
          </div>
        ))}
      </div>
      {!all && revisions.length > most && <Button onClick={() => setAll(true)}>Show all {revisions.length}</Button>}
      {shown && newest && <Compared revision={shown} newest={newest} onLoad={onLoad} onClose={() => setShown(undefined)} />}
    </section>
  );
}

interface ComparedProps {
  revision: Revision;
  newest: Revision;
  onLoad: Props["onLoad"];
  onClose: () => void;
}

function Compared({ revision, newest, onLoad, onClose }: ComparedProps) {
  return (
    <Dialog title={`From revision ${revision.revision} to ${newest.revision}`} wide onClose={onClose}>
      <LineDiff old={revision.text} now={newest.text} label={`What has changed since revision ${revision.revision}`} />
      <DialogFoot>
        {onLoad && (
          <Button
            onClick={() => {
              onLoad(revision.text);
              onClose();
            }}
          >
            Put revision {revision.revision} into the editor
          </Button>
        )}
        <Button look="main" onClick={onClose}>
          Close
        </Button>
      </DialogFoot>
    </Dialog>
  );
}
