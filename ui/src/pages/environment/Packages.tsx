import { useState } from "react";
import { paths, send } from "../../api/client";
import type { Build, Edit, Environment, Item } from "../../api/environments";
import { invalidate, type Known } from "../../api/store";
import { Button } from "../../parts/Button";
import { Choice } from "../../parts/Choice";
import { Empty } from "../../parts/Empty";
import { PlusIcon } from "../../parts/icons";
import { SearchBox } from "../../parts/SearchBox";
import { navigate, to } from "../../router";
import { AddPackages } from "./AddPackages";
import { editWords, isEmpty, messageOf, noEdit, renaming, toggled } from "./draft";
import { ProblemNote } from "./FailureNote";
import { PackageTable } from "./PackageTable";
import { Review } from "./Review";

interface Props {
  environment: Environment;
  /** Those of the active build. */
  packages: Known<Item[]>;
  writes: boolean;
  /** Changes that are gathered and not yet built. */
  edit: Edit;
  onEdit: (edit: Edit) => void;
}

const which = [
  { value: "all", name: "All" },
  { value: "requested", name: "Requested" },
] as const;

/** The packages of the active build, and the way to other ones. */
export function Packages({ environment, packages, writes, edit, onEdit }: Props) {
  const { project, name, active, kind } = environment;
  const { data: items, error } = packages;
  const [search, setSearch] = useState("");
  const [shown, setShown] = useState<"all" | "requested">("all");
  const [open, setOpen] = useState<"add" | "review">();

  async function build(message: string) {
    const made = await send<Build>("POST", paths.packages(project, name), { ...edit, message });
    onEdit(noEdit);
    invalidate(paths.environment(project, name), `${paths.environment(project, name)}/`);
    navigate(to.build(project, name, made.build));
  }

  return (
    <section className="section" aria-label="Packages">
      <div className="tools-row">
        <SearchBox label="Filter packages" placeholder="Filter" value={search} onChange={setSearch} />
        <Choice label="Which packages" options={which} value={shown} onChange={setShown} />
        {writes && (
          <Button look="main" onClick={() => setOpen("add")}>
            <PlusIcon />
            Add packages
          </Button>
        )}
      </div>
      <ProblemNote error={error} />
      {active ? (
        !(error && !items) && (
          <PackageTable
            items={items}
            search={search}
            requestedOnly={shown === "requested"}
            edit={edit}
            onMark={writes ? (mark, package_) => onEdit(toggled(edit, mark, package_)) : undefined}
          />
        )
      ) : (
        <Empty title="Nothing is built yet">The packages show up here when the first build is ready.</Empty>
      )}
      {!isEmpty(edit) && <Pending edit={edit} onDiscard={() => onEdit(noEdit)} onReview={() => setOpen("review")} />}
      {open === "add" && <AddPackages project={project} kind={kind} edit={edit} onEdit={onEdit} onReview={() => setOpen("review")} onClose={() => setOpen(undefined)} />}
      {open === "review" && (
        <Review
          project={project}
          name={name}
          asked={edit}
          message={messageOf(edit)}
          onTake={(wrong, right) => onEdit(renaming(edit, wrong, right))}
          onBuild={build}
          onClose={() => setOpen(undefined)}
        />
      )}
    </section>
  );
}

/** What is gathered, at the window's foot however long the list is. */
function Pending({ edit, onDiscard, onReview }: { edit: Edit; onDiscard: () => void; onReview: () => void }) {
  const names = [...edit.add.map((w) => w.name), ...edit.remove, ...edit.upgrade].join(", ");
  return (
    <div className="pending" role="region" aria-label="Changes to review">
      <div className="pending-text">
        <strong>{editWords(edit)}</strong>
        <span className="small soft">{names}</span>
      </div>
      <Button look="quiet" onClick={onDiscard}>
        Discard
      </Button>
      <Button look="main" onClick={onReview}>
        Review changes
      </Button>
    </div>
  );
}
