import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate, useList, useThing } from "../api/store";
import type { Me, Member, Project, Role } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { useAction } from "../parts/action";
import { Button } from "../parts/Button";
import { ErrorNote } from "../parts/ErrorNote";
import { PlusIcon } from "../parts/icons";
import { notify } from "../parts/notices";
import { RoleSelect } from "../parts/RoleSelect";
import { SkeletonRows } from "../parts/Skeleton";
import { Time } from "../parts/Time";
import { roleName } from "../text/role";
import { AddMember } from "./AddMember";
import { RemoveMember } from "./RemoveMember";

/** Who is in the project, and as what. */
export function Members({ project }: { project: string }) {
  const { data: members, error } = useList<Member>(paths.members(project));
  const role = useThing<Project>(paths.project(project)).data?.role;
  const me = useThing<Me>(paths.me).data;
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Member>();
  const manages = role === "data_owner" || me?.admin === true;
  const owners = members?.filter((m) => m.role === "data_owner").length ?? 0;

  return (
    <div className="page">
      <PageHead
        title="Members"
        tools={
          manages && (
            <Button look="main" onClick={() => setAdding(true)}>
              <PlusIcon />
              Add member
            </Button>
          )
        }
      >
        Data owners manage members and may stop anything; data scientists write and run code.
      </PageHead>
      <ErrorNote error={error} />
      <div className="list">
        {!members && !error && <SkeletonRows rows={3} className="list-row" />}
        {members?.map((member) => (
          <Row
            key={member.user}
            project={project}
            member={member}
            manages={manages}
            self={member.user === me?.user}
            lastOwner={member.role === "data_owner" && owners === 1}
            onRemove={setRemoving}
          />
        ))}
      </div>
      {adding && <AddMember project={project} members={members ?? []} admin={me?.admin === true} onClose={() => setAdding(false)} />}
      {removing && <RemoveMember project={project} member={removing} self={removing.user === me?.user} onClose={() => setRemoving(undefined)} />}
    </div>
  );
}

interface RowProps {
  project: string;
  member: Member;
  manages: boolean;
  self: boolean;
  lastOwner: boolean;
  onRemove: (member: Member) => void;
}

function Row({ project, member, manages, self, lastOwner, onRemove }: RowProps) {
  const action = useAction();
  const name = member.name || member.user;

  function change(role: Role) {
    void action.run(async () => {
      await send("PUT", paths.member(project, member.user), { role });
      invalidate(paths.members(project), paths.me, paths.projects, paths.project(project));
      notify(`${name} is now ${roleName(role).toLowerCase()}.`);
    });
  }

  return (
    <div className="list-row member">
      <div className="list-main">
        <div className="list-name">
          {name}
          {self && <span className="soft"> (you)</span>}
        </div>
        <div className="small soft">
          {member.user} · since <Time at={member.since} />
        </div>
      </div>
      {lastOwner ? (
        <div className="member-role">
          {roleName(member.role)}
          {manages && <div className="small soft">The only one: a project needs an owner.</div>}
        </div>
      ) : (
        <div className="member-tools">
          {manages ? (
            <RoleSelect label={`Role of ${name}`} value={member.role} onChange={change} disabled={action.busy} />
          ) : (
            <span className="member-role">{roleName(member.role)}</span>
          )}
          {(manages || self) && (
            <Button look="quiet" onClick={() => onRemove(member)} aria-label={self ? undefined : `Remove ${name}`}>
              {self ? "Leave" : "Remove"}
            </Button>
          )}
        </div>
      )}
      {action.error && (
        <div className="list-wide">
          <ErrorNote error={action.error} />
        </div>
      )}
    </div>
  );
}
