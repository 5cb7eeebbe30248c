import { useState } from "react";
import { paths, send } from "../api/client";
import { invalidate, useList } from "../api/store";
import type { Token } from "../api/types";
import { PageHead } from "../frame/PageHead";
import { Button } from "../parts/Button";
import { Confirm } from "../parts/Confirm";
import { Empty } from "../parts/Empty";
import { ErrorNote } from "../parts/ErrorNote";
import { PlusIcon } from "../parts/icons";
import { notify } from "../parts/notices";
import { SkeletonRows } from "../parts/Skeleton";
import { Time } from "../parts/Time";
import { MakeToken } from "./MakeToken";

/** The reader's own tokens that work in this project. */
export function Tokens({ project }: { project: string }) {
  const { data, error } = useList<Token>(paths.tokens);
  const tokens = data?.filter((t) => !t.project || t.project === project);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token>();

  return (
    <div className="page">
      <PageHead
        title="Tokens"
        tools={
          <Button look="main" onClick={() => setMaking(true)}>
            <PlusIcon />
            New token
          </Button>
        }
      >
        Your own keys for scripts and editors: whoever has one works here in your name.
      </PageHead>
      <ErrorNote error={error} />
      {tokens?.length === 0 ? (
        <Empty title="No tokens">A token lets a program in without a browser: VS Code, a script, a scheduler. Each can be revoked on its own.</Empty>
      ) : (
        <div className="list">
          {!tokens && !error && <SkeletonRows rows={2} className="list-row" />}
          {tokens?.map((token) => <Row key={token.id} token={token} onRevoke={setRevoking} />)}
        </div>
      )}
      {making && <MakeToken project={project} onClose={() => setMaking(false)} />}
      {revoking && <Revoke token={revoking} onClose={() => setRevoking(undefined)} />}
    </div>
  );
}

/** What people call a token: its note, or its id where they wrote none. */
function nameOf(token: Token): string {
  return token.note || token.id;
}

function Row({ token, onRevoke }: { token: Token; onRevoke: (token: Token) => void }) {
  const expired = Date.parse(token.expires) < Date.now();
  return (
    <div className="list-row">
      <div className="list-main">
        <div className="list-name">{nameOf(token)}</div>
        <div className="small soft">
          {token.project ? "this project only" : "all your projects"} ·{" "}
          {token.last_used ? (
            <>
              used <Time at={token.last_used} />
            </>
          ) : (
            <>
              made <Time at={token.created} />
            </>
          )}{" "}
          ·{" "}
          <span className={expired ? "wrong" : undefined}>
            {expired ? "expired" : "expires"} <Time at={token.expires} />
          </span>
        </div>
      </div>
      <Button look="quiet" onClick={() => onRevoke(token)} aria-label={`Revoke ${nameOf(token)}`}>
        Revoke
      </Button>
    </div>
  );
}

function Revoke({ token, onClose }: { token: Token; onClose: () => void }) {
  async function act() {
    await send("DELETE", paths.token(token.id));
    invalidate(paths.tokens);
    notify(`${nameOf(token)} is revoked.`);
  }

  return (
    <Confirm title={`Revoke ${nameOf(token)}?`} verb="Revoke" act={act} onClose={onClose}>
      <p>Programs that use it are turned away at once, and their open connections are closed. It cannot be brought back.</p>
    </Confirm>
  );
}
