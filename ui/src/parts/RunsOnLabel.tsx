import type { Environment } from "../api/environments";
import type { RunsOn } from "../api/types";
import { Link, to } from "../router";
import { restartWords, runsOnWords } from "../text/environment";

interface Props {
  project: string;
  on: RunsOn;
  /** Those of the project; undefined while they are not known. */
  environments: Environment[] | undefined;
}

/** The environment and build that a program runs on, and that a newer one is active where that is so. */
export function RunsOnLabel({ project, on, environments }: Props) {
  const restart = restartWords(on, environments);
  const words = runsOnWords(on);
  return (
    <span className="runs-on">
      {on.build > 0 ? <Link href={to.build(project, on.name, on.build)}>{words}</Link> : words}
      {restart && <span className="newer">; {restart}</span>}
    </span>
  );
}
