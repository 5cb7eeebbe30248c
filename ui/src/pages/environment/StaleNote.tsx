import { useState } from "react";
import type { Revision } from "../../api/environments";
import { Button } from "../../parts/Button";
import { Note } from "../../parts/Note";
import { Time } from "../../parts/Time";
import { byWords } from "../../text/environment";
import { LineDiff } from "./LineDiff";

interface Props {
  theirs: Revision;
  mine: string;
  onKeep: () => void;
  onTake: () => void;
}

/** Somebody saved another text meanwhile: says who and when, and lets the reader compare before choosing. */
export function StaleNote({ theirs, mine, onKeep, onTake }: Props) {
  const [comparing, setComparing] = useState(false);
  return (
    <>
      <Note
        tone="waiting"
        tools={
          <>
            <Button look="quiet" aria-expanded={comparing} onClick={() => setComparing(!comparing)}>
              {comparing ? "Hide" : "Compare"}
            </Button>
            <Button onClick={onTake}>Take theirs</Button>
            <Button onClick={onKeep}>Keep mine</Button>
          </>
        }
      >
        {byWords(theirs.author)} saved revision {theirs.revision} <Time at={theirs.created} />
        {theirs.message && <>: {theirs.message}</>}. <span className="soft">Yours began from an older one.</span>
      </Note>
      {comparing && <LineDiff old={theirs.text} now={mine} label="Theirs, and what yours would change in it" />}
    </>
  );
}
