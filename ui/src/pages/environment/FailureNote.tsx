import type { ApiError } from "../../api/client";
import type { Failure } from "../../api/environments";
import { ErrorNote } from "../../parts/ErrorNote";
import { WarningIcon } from "../../parts/icons";
import { failureWords } from "../../text/environment";

interface Props {
  failure: Failure;
  /** Takes one of the names that the wrong one may be a mistake for. */
  onTake?: ((name: string) => void) | undefined;
}

/** Why something did not work: a sentence, the rule that refused it, names that may be meant, and the conflict as a tree. */
export function FailureNote({ failure, onTake }: Props) {
  const { rule, near, tree } = failure;
  return (
    <div className="failure" role="alert">
      <div className="error-note">
        <WarningIcon />
        <div>
          <p>
            {failureWords(failure)}
            {rule && (
              <span className="soft">
                {" "}
                The rule is <code>{rule}</code>.
              </span>
            )}
          </p>
          {near && near.length > 0 && <Near names={near} onTake={onTake} />}
        </div>
      </div>
      {tree && (
        <pre className="code tree" tabIndex={0} aria-label="What does not fit together">
          {tree}
        </pre>
      )}
    </div>
  );
}

function Near({ names, onTake }: { names: string[]; onTake: Props["onTake"] }) {
  return (
    <p className="near">
      Did you mean
      {names.map((name, i) => (
        <span key={name}>
          {onTake ? (
            <button type="button" className="chip" onClick={() => onTake(name)}>
              {name}
            </button>
          ) : (
            <code>{name}</code>
          )}
          {i === names.length - 1 && "?"}
        </span>
      ))}
    </p>
  );
}

/** An error of the API: with its cause where it has one, else as any other. */
export function ProblemNote({ error, onTake }: { error: ApiError | undefined; onTake?: Props["onTake"] }) {
  if (error?.failure) return <FailureNote failure={error.failure} onTake={onTake} />;
  return <ErrorNote error={error} />;
}
