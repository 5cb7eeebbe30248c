import { useEffect, useState } from "react";
import type { ApiError } from "../../api/client";
import type { Edit, Solution } from "../../api/environments";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { Elapsed } from "../../parts/Elapsed";
import { Field } from "../../parts/Field";
import { announce } from "../../parts/notices";
import { DiffView } from "./DiffView";
import { downloadWords, summaryOf } from "./diffWords";
import { FailureNote, ProblemNote } from "./FailureNote";
import { useSolution } from "./useSolution";

interface Props {
  project: string;
  name: string;
  /** What is to be solved: a whole environment.yml or a change of packages. */
  asked: { text: string } | Edit;
  /** What it is for, where nothing is written. */
  message: string;
  /** Takes another name for a package that does not exist. */
  onTake?: (wrong: string, right: string) => void;
  /** Starts the build. The message is what was written, which may be nothing. */
  onBuild: (message: string) => Promise<void>;
  /** The dry run was refused: the editor wants to mark the place. */
  onRefused?: (error: ApiError) => void;
  onClose: () => void;
}

/** Shows what a change would do, before it is done. */
export function Review({ project, name, asked, message, onTake, onBuild, onRefused, onClose }: Props) {
  const { solution, error, since } = useSolution(project, name, asked);
  const [written, setWritten] = useState("");
  const action = useAction();
  const wrong = error?.failure?.package;
  const allowed = solution !== undefined && !solution.findings?.length;

  useEffect(() => {
    if (solution) announce(summaryOf(solution.diff));
    if (error) onRefused?.(error);
  }, [solution, error]);

  return (
    <Dialog title="Review changes" wide onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (allowed) void action.run(() => onBuild(written.trim()));
        }}
      >
        {since !== undefined && <Solving since={since} />}
        <ProblemNote error={error} onTake={wrong && onTake ? (right) => onTake(wrong, right) : undefined} />
        {solution && <Solved solution={solution} />}
        {solution && (
          <Field label="What is it for?">
            {(field) => <input {...field} value={written} placeholder={message} onChange={(e) => setWritten(e.target.value)} autoComplete="off" maxLength={200} />}
          </Field>
        )}
        <ProblemNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>{error ? "Back" : "Cancel"}</Button>
          {!error && (
            <Button type="submit" look="main" busy={action.busy} disabled={!allowed}>
              {solution?.ready ? "Use it" : "Build"}
            </Button>
          )}
        </DialogFoot>
      </form>
    </Dialog>
  );
}

function Solving({ since }: { since: number }) {
  return (
    <div className="solving" role="status">
      <span className="spinner inline" aria-hidden="true" />
      Finding versions that fit together… <Elapsed since={since} />
    </div>
  );
}

function Solved({ solution }: { solution: Solution }) {
  return (
    <>
      {solution.findings?.map((finding, i) => <FailureNote key={i} failure={finding} />)}
      <DiffView diff={solution.diff} />
      <p className="soft">
        {solution.ready ? "This is built already: it is ready at once." : downloadWords(solution.download_bytes, solution.artifact_bytes)}
      </p>
    </>
  );
}
