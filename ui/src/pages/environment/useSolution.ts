import { useEffect, useState } from "react";
import { paths, send, type ApiError } from "../../api/client";
import type { Edit, Solution } from "../../api/environments";
import { asApiError } from "../../api/store";

export interface Solving {
  solution: Solution | undefined;
  error: ApiError | undefined;
  /** When it began, in milliseconds; undefined once there is an answer. */
  since: number | undefined;
}

/** Solves without building, and again whenever what is asked for changes; an answer that nobody waits for is given up. */
export function useSolution(project: string, name: string, asked: { text: string } | Edit): Solving {
  const [solving, setSolving] = useState<Solving>({ solution: undefined, error: undefined, since: Date.now() });
  const body = JSON.stringify(asked);

  useEffect(() => {
    const abort = new AbortController();
    setSolving({ solution: undefined, error: undefined, since: Date.now() });
    send<Solution>("POST", paths.solve(project, name), JSON.parse(body), { signal: abort.signal })
      .then((solution) => !abort.signal.aborted && setSolving({ solution, error: undefined, since: undefined }))
      .catch((thrown: unknown) => !abort.signal.aborted && setSolving({ solution: undefined, error: asApiError(thrown), since: undefined }));
    return () => abort.abort();
  }, [project, name, body]);

  return solving;
}
