import { useState } from "react";
import { paths } from "../api/client";
import { useList, useThing } from "../api/store";
import type { Me, User } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { Button } from "../parts/Button";
import { Empty } from "../parts/Empty";
import { ErrorNote } from "../parts/ErrorNote";
import { PlusIcon } from "../parts/icons";
import { SearchBox } from "../parts/SearchBox";
import { SkeletonRows } from "../parts/Skeleton";
import { Time } from "../parts/Time";
import { counted } from "../text/time";
import { EditUser } from "./EditUser";
import { NewUser } from "./NewUser";

/** Everybody who may log in; for administrators. */
export function Users() {
  const { data: users, error } = useList<User>(paths.users);
  const me = useThing<Me>(paths.me).data;
  const [search, setSearch] = useState("");
  const [making, setMaking] = useState(false);
  const [editing, setEditing] = useState<string>();
  const found = users?.filter((u) => `${u.name} ${u.display_name}`.toLowerCase().includes(search.trim().toLowerCase()));
  const edited = users?.find((u) => u.name === editing);

  if (me && !me.admin) return <PageHead title="Users">Only administrators of this site manage its users.</PageHead>;
  return (
    <div className="page">
      <PageHead
        title="Users"
        tools={
          <>
            <SearchBox label="Search users" value={search} onChange={setSearch} />
            <Button look="main" onClick={() => setMaking(true)}>
              <PlusIcon />
              New user
            </Button>
          </>
        }
      >
        {users && counted(users.length, "user")}
      </PageHead>
      <ErrorNote error={error} />
      {found?.length === 0 ? (
        <Empty title="Nothing found">Nobody is called “{search.trim()}”.</Empty>
      ) : (
        <div className="list">
          {!found && !error && <SkeletonRows rows={3} className="list-row" />}
          {found?.map((user) => <Row key={user.name} user={user} self={user.name === me?.user} onEdit={setEditing} />)}
        </div>
      )}
      {making && <NewUser onClose={() => setMaking(false)} />}
      {edited && <EditUser user={edited} self={edited.name === me?.user} onClose={() => setEditing(undefined)} />}
    </div>
  );
}

interface RowProps {
  user: User;
  self: boolean;
  onEdit: (user: string) => void;
}

function Row({ user, self, onEdit }: RowProps) {
  const name = user.display_name || user.name;
  return (
    <div className={user.disabled ? "list-row over" : "list-row"}>
      <div className="list-main">
        <div className="list-name">
          {name}
          {self && <span className="soft"> (you)</span>}
        </div>
        <div className="small soft">
          {user.name}
          {user.created && (
            <>
              {" "}
              · since <Time at={user.created} />
            </>
          )}
        </div>
      </div>
      {user.disabled && <span className="role">Locked out</span>}
      {user.admin && <span className="role">Administrator</span>}
      <Button look="quiet" onClick={() => onEdit(user.name)} aria-label={`Manage ${name}`}>
        Manage
      </Button>
    </div>
  );
}
