import { useState } from "react";
import type { ApiError } from "../api/client";
import { asApiError } from "../api/store";

/** One thing that a person started and waits for. */
export interface Action {
  busy: boolean;
  error: ApiError | undefined;
  /** Runs the work unless some is under way already; its error is kept until the next run. */
  run: (work: () => Promise<void>) => Promise<void>;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();

  async function run(work: () => Promise<void>) {
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      setBusy(false);
    }
  }

  return { busy, error, run };
}
