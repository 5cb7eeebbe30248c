import type { ApiError } from "../api/client";
import { WarningIcon } from "./icons";

/** An error as a sentence, with the id that finds it in the gateway's log. */
export function ErrorNote({ error }: { error: ApiError | undefined }) {
  if (!error) return null;
  return (
    <div className="error-note" role="alert">
      <WarningIcon />
      <p>
        {error.message}
        {error.id && (
          <span className="error-id">
            {" "}
            In the log: <code>{error.id}</code>
          </span>
        )}
      </p>
    </div>
  );
}
