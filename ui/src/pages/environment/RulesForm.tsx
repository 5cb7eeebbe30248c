import { useRef, useState } from "react";
import { paths, send } from "../../api/client";
import type { Environment, RuleSet } from "../../api/environments";
import { invalidate } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { ErrorNote } from "../../parts/ErrorNote";
import { notify } from "../../parts/notices";
import { complaintsIn, complaintsOf, draftOf, rulesOf, type RulesDraft } from "./rulesDraft";
import { AgeRules, LimitRules, RefusedRules, SourceRules, type RulesProps } from "./RulesFields";
import { savedWords } from "./rulesWords";

interface Props {
  environment: Environment;
  site: RuleSet;
  onClose: () => void;
}

/** Edits an environment's own rules. What the site demands stands in the same fields and cannot be taken away. */
export function RulesForm({ environment, site, onClose }: Props) {
  const { project, name, active, policy = {} } = environment;
  const [before] = useState<RuleSet>(policy); // what others save meanwhile does not change what is being written
  const [draft, setDraft] = useState(() => draftOf(before));
  const [tried, setTried] = useState(false);
  const [answered, setAnswered] = useState<RulesDraft>(); // what the gateway last answered about
  const form = useRef<HTMLFormElement>(null);
  const action = useAction();
  const marked = complaintsIn(action.error?.fields ?? {});
  const complaints = { ...(answered === draft ? marked : {}), ...(tried ? complaintsOf(draft) : {}) };

  function submit() {
    setTried(true);
    if (Object.keys(complaintsOf(draft)).length > 0) return showFirst();
    void action.run(async () => {
      setAnswered(draft);
      try {
        await send("PATCH", paths.environment(project, name), { policy: rulesOf(draft, before), policy_was: before });
      } catch (error) {
        showFirst();
        throw error;
      }
      invalidate(paths.environments(project), paths.environment(project, name), `${paths.environment(project, name)}/`);
      notify(savedWords(name, active?.build));
      onClose();
    });
  }

  /** Brings the first complaint into view, once it is drawn; what is about no field stands at the form's end. */
  function showFirst() {
    setTimeout(() => {
      const field = form.current?.querySelector<HTMLElement>("input[aria-invalid]");
      if (field) field.focus();
      else form.current?.querySelector(".error-note")?.scrollIntoView({ block: "center" });
    }, 50);
  }

  const parts: RulesProps = { site, draft, complaints, change: (more) => setDraft({ ...draft, ...more }) };
  return (
    <Dialog title={`Rules of ${name}`} wide onClose={onClose}>
      <form
        className="form tall"
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <p className="soft">They add to what the site demands, which is marked with a lock. They count for what is solved, built or activated from now on{active ? `; build ${active.build} stays in use` : ""}.</p>
        <SourceRules {...parts} />
        <RefusedRules {...parts} />
        <AgeRules {...parts} />
        <LimitRules {...parts} />
        {!marked && <ErrorNote error={action.error} />}
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy}>
            Save rules
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
