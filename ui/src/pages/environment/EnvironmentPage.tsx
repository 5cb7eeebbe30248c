import { useState } from "react";
import { paths } from "../../api/client";
import type { Edit, Environment, Item } from "../../api/environments";
import { useList, useThing, type Known } from "../../api/store";
import { PageHead } from "../../frame/PageHead";
import { Button } from "../../parts/Button";
import { ErrorNote } from "../../parts/ErrorNote";
import { PlusIcon } from "../../parts/icons";
import { SkeletonRows } from "../../parts/Skeleton";
import { useCurrentInView } from "../../parts/useCurrentInView";
import { Link, parts, to, type Part } from "../../router";
import { partNames } from "../../text/environment";
import { Builds } from "./Builds";
import { noEdit } from "./draft";
import { Facts } from "./Facts";
import { NewEnvironment } from "./NewEnvironment";
import { Notes } from "./Notes";
import { Packages } from "./Packages";
import { useRights } from "./rights";
import { Settings } from "./Settings";
import { SpecPart, type SpecDraft } from "./SpecPart";
import { UseElsewhere } from "./UseElsewhere";

interface Props {
  project: string;
  name: string;
  part: Part;
}

/** One environment. What is half done in one part of it is kept while its reader looks at another. */
export function EnvironmentPage({ project, name, part }: Props) {
  const { data: environment, error } = useThing<Environment>(paths.environment(project, name));
  const packages = useList<Item>(part === "packages" ? paths.packages(project, name) : undefined); // asked for at once, not after the environment
  const others = useList<Environment>(paths.environments(project)).data;
  const { writes } = useRights(project);
  const [edit, setEdit] = useState<Edit>(noEdit);
  const [draft, setDraft] = useState<SpecDraft>();
  const [making, setMaking] = useState(false);
  const several = (others?.length ?? 0) > 1; // then there is a list of them, which has the button

  if (error?.status === 404 || error?.status === 403) return <NoEnvironment project={project} name={name} message={error.message} />;
  return (
    <div className="page">
      <PageHead
        title={name}
        tools={
          writes &&
          others &&
          !several && (
            <Button onClick={() => setMaking(true)}>
              <PlusIcon />
              New environment
            </Button>
          )
        }
      >
        {environment && <Facts environment={environment} several={several} />}
      </PageHead>
      <ErrorNote error={error} />
      {environment && <Notes environment={environment} />}
      <div className="tabbed">
        <Tabs project={project} name={name} part={part} />
        {environment ? <PartOf environment={environment} packages={packages} part={part} writes={writes} edit={edit} onEdit={setEdit} draft={draft} onDraft={setDraft} /> : !error && <Loading />}
      </div>
      {making && <NewEnvironment project={project} taken={others?.map((e) => e.name) ?? [name]} onClose={() => setMaking(false)} />}
    </div>
  );
}

/** The page's parts. On a narrow screen they scroll, and the one that is open is in view. */
function Tabs({ project, name, part }: Props) {
  const nav = useCurrentInView(part);
  return (
    <nav className="tabs" ref={nav} aria-label={`Environment ${name}`}>
      {parts.map((p) => (
        <Link key={p} href={to.environment(project, name, p)} aria-current={p === part ? "page" : undefined}>
          {partNames[p]}
        </Link>
      ))}
    </nav>
  );
}

interface PartProps {
  environment: Environment;
  packages: Known<Item[]>;
  part: Part;
  writes: boolean;
  edit: Edit;
  onEdit: (edit: Edit) => void;
  draft: SpecDraft | undefined;
  onDraft: (draft: SpecDraft | undefined) => void;
}

function PartOf({ environment, packages, part, writes, edit, onEdit, draft, onDraft }: PartProps) {
  switch (part) {
    case "packages":
      return <Packages environment={environment} packages={packages} writes={writes} edit={edit} onEdit={onEdit} />;
    case "spec":
      return <SpecPart environment={environment} writes={writes} draft={draft} onDraft={onDraft} />;
    case "builds":
      return <Builds environment={environment} />;
    case "use":
      return <UseElsewhere environment={environment} />;
    case "settings":
      return <Settings environment={environment} />;
  }
}

function Loading() {
  return (
    <div className="list">
      <SkeletonRows rows={4} className="list-row" />
    </div>
  );
}

function NoEnvironment({ project, name, message }: { project: string; name: string; message: string }) {
  return (
    <div className="page">
      <PageHead title={name}>{message}</PageHead>
      <p>
        It may have been deleted. <Link href={to.environments(project)}>Environments of {project}</Link>
      </p>
    </div>
  );
}
