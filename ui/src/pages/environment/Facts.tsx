import { sentence } from "../../api/client";
import type { Environment } from "../../api/environments";
import { Time } from "../../parts/Time";
import { Link, to } from "../../router";
import { kindNames } from "../../text/environment";
import { byteSize } from "../../text/size";
import { counted } from "../../text/time";

/** What an environment is, in two lines. */
export function Facts({ environment, several }: { environment: Environment; several: boolean }) {
  const { project, active, why, kind, default: isDefault } = environment;
  return (
    <span className="facts">
      <span className="facts-line">
        {isDefault && <span className="role">default</span>}
        {active?.python && <span>Python {active.python}</span>}
        {active && (
          <span className="number">
            <Link href={to.build(project, environment.name, active.build)}>build {active.build}</Link> active since <Time at={active.since} />
          </span>
        )}
        {active && <span className="number">{counted(active.packages, "package")}</span>}
        {several && <Link href={to.environments(project)}>all environments</Link>}
      </span>
      <span className="facts-line small">
        <span>{sentence(why || kindNames[kind])}</span>
        <span className="number" title="Shared with other environments, which would keep it; only here, which would be free without this one">
          {diskWords(environment)}
        </span>
      </span>
    </span>
  );
}

function diskWords({ shared_bytes: shared, exclusive_bytes: exclusive }: Environment): string {
  if (shared + exclusive <= 0) return "";
  return `${byteSize(exclusive)} on disk${shared > 0 ? ` and ${byteSize(shared)} shared` : ""}`;
}
