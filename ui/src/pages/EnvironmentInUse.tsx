import { paths } from "../api/client";
import type { Environment } from "../api/environments";
import { useList } from "../api/store";
import { Link, to } from "../router";
import { hasEnded } from "../text/environment";
import { counted } from "../text/time";

/** The environment that new notebooks of a project get, in a line. Its place is kept while it is read. */
export function EnvironmentInUse({ project }: { project: string }) {
  const environments = useList<Environment>(paths.environments(project)).data;
  const environment = environments?.find((e) => e.default) ?? environments?.[0];
  return <p className="in-use soft">{environment ? <Words environment={environment} /> : "\u00a0"}</p>;
}

function Words({ environment: { project, name, active, latest } }: { environment: Environment }) {
  const link = <Link href={to.environment(project, name)}>{name}</Link>;
  const building = latest && !hasEnded(latest.state) && (
    <>
      {" "}
      <Link href={to.build(project, name, latest.build)}>Build {latest.build}</Link> is under way.
    </>
  );
  if (!active) return <>The environment {link} is not built yet.{building}</>;
  const facts = [active.python && `Python ${active.python}`, counted(active.packages, "package")].filter(Boolean).join(", ");
  return (
    <>
      New notebooks run on {link}, build {active.build}: {facts}.{building}
    </>
  );
}
