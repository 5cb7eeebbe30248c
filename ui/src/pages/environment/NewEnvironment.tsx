import { useEffect, useState } from "react";
import { paths, send } from "../../api/client";
import type { Environment, Policy } from "../../api/environments";
import { invalidate, useList, useThing } from "../../api/store";
import { useAction } from "../../parts/action";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Dialog, DialogFoot } from "../../parts/Dialog";
import { NameField } from "../../parts/NameField";
import { navigate, to } from "../../router";
import { checkName } from "../../text/name";
import { ProblemNote } from "./FailureNote";
import { isComplete, kindWords, requestOf, sources, starterText, type Content, type Source } from "./content";
import { CopySource, FileSource, NotebookSource, TextSource } from "./Sources";

interface Props {
  project: string;
  taken: readonly string[];
  source?: Source;
  onClose: () => void;
}

/** Makes an environment: from a text, a file, another environment or what a notebook ran with. */
export function NewEnvironment({ project, taken, source = "text", onClose }: Props) {
  const policy = useThing<Policy>(paths.environmentsPolicy(project)).data;
  const kind = policy?.kind;
  const known = useList<Environment>(paths.environments(project)).data;
  const [name, setName] = useState("");
  const [content, setContent] = useState<Content>({ source, text: "", file: undefined, from: { project, environment: "" }, notebook: "" });
  const action = useAction();
  const check = checkName("environment", name, known?.map((e) => e.name) ?? taken);
  const madeOf = kindWords(content, policy);
  const ready = check.ok && isComplete(content);

  useEffect(() => {
    if (kind) setContent((before) => (before.text === "" ? { ...before, text: starterText(kind) } : before));
  }, [kind]);

  function submit() {
    void action.run(async () => {
      const made = await send<Environment>("POST", paths.environments(project), requestOf(name, content));
      invalidate(paths.environments(project), paths.project(project));
      navigate(made.latest ? to.build(project, made.name, made.latest.build) : to.environment(project, made.name));
    });
  }

  return (
    <Dialog title="New environment" wide onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) submit();
        }}
      >
        <NameField label="Name" hint="Small letters, digits, - and _." value={name} check={check} onChange={setName} />
        <div className="field">
          <span className="field-label">From</span>
          <Choice label="From" options={sources} value={content.source} onChange={(chosen) => setContent({ ...content, source: chosen })} />
        </div>
        <SourceOf project={project} content={content} error={action.error} onChange={setContent} />
        {madeOf && <p className="small soft">{madeOf}</p>}
        <ProblemNote error={action.error} />
        <DialogFoot>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={action.busy} disabled={!ready}>
            Make and build
          </Button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}

export interface SourceProps {
  project: string;
  content: Content;
  error: ReturnType<typeof useAction>["error"];
  onChange: (content: Content) => void;
}

function SourceOf(props: SourceProps) {
  switch (props.content.source) {
    case "text":
      return <TextSource {...props} />;
    case "file":
      return <FileSource {...props} />;
    case "copy":
      return <CopySource {...props} />;
    case "notebook":
      return <NotebookSource {...props} />;
  }
}
