import { useState } from "react";
import { paths, sentence } from "../../api/client";
import type { Environment, Policy } from "../../api/environments";
import { useThing } from "../../api/store";
import { Button } from "../../parts/Button";
import { ErrorNote } from "../../parts/ErrorNote";
import { RulesForm } from "./RulesForm";
import { rulesWords } from "./rulesWords";

/** What environments of a project may be made of, and how they are made. */
export function Rules({ project }: { project: string }) {
  const { data: policy, error } = useThing<Policy>(paths.environmentsPolicy(project));
  return (
    <section className="section" aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      <ErrorNote error={error} />
      {policy && <SiteRules policy={policy} />}
      {policy && <p className="small soft">Any of them may have stricter rules of its own, in its settings.</p>}
    </section>
  );
}

function SiteRules({ policy }: { policy: Policy }) {
  return (
    <ul className="sentences even">
      {policy.why && <li>{sentence(policy.why)}</li>}
      {policy.words?.map((words) => <li key={words}>{words}</li>)}
    </ul>
  );
}

/** The rules that one environment keeps to: the site's, and its own on top, which owners edit. */
export function RulesOf({ environment, owns }: { environment: Environment; owns: boolean }) {
  const { data: policy, error } = useThing<Policy>(paths.environmentsPolicy(environment.project));
  const [editing, setEditing] = useState(false);
  const own = rulesWords(environment.policy ?? {});
  return (
    <section className="section" aria-labelledby="rules">
      <div className="section-head">
        <h2 id="rules">Rules</h2>
        {owns && (
          <Button disabled={!policy} onClick={() => setEditing(true)}>
            Edit rules
          </Button>
        )}
      </div>
      <ErrorNote error={error} />
      {policy && (
        <>
          <h3 className="rules-of">Of the site</h3>
          <SiteRules policy={policy} />
          <h3 className="rules-of">Of {environment.name}, on top</h3>
          {own.length > 0 ? (
            <ul className="sentences even">
              {own.map((words) => (
                <li key={words}>{words}</li>
              ))}
            </ul>
          ) : (
            <p className="soft">It has none of its own.{!owns && " Data owners can set some."}</p>
          )}
        </>
      )}
      {editing && policy && <RulesForm environment={environment} site={policy.rules} onClose={() => setEditing(false)} />}
    </section>
  );
}
