import type { Workload } from "../api/types";
import { stateWords, type StateWords } from "../text/state";

/** The state of a workload: a shape, a word, and the reason where there is one. */
export function StateLabel({ workload }: { workload: Workload }) {
  const { tone, word } = stateWords(workload);
  return (
    <span className="state">
      <StateWord tone={tone} word={word} />
      {workload.reason && <span className="state-reason">{workload.reason}</span>}
    </span>
  );
}

/** What a state means, as a shape and a word. */
export function StateWord({ tone, word }: StateWords) {
  return (
    <span className={`state-word ${tone}`}>
      <span className="state-dot" aria-hidden="true" />
      {word}
    </span>
  );
}
