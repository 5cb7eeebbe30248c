import { paths } from "../../api/client";
import { useThing } from "../../api/store";
import type { Me, Project } from "../../api/types";

export interface Rights {
  /** May edit, build and activate. */
  writes: boolean;
  /** May delete, pin, collect and choose the default too. */
  owns: boolean;
}

/** What the reader may do with the environments of a project. The gateway has the last word. */
export function useRights(project: string): Rights {
  const role = useThing<Project>(paths.project(project)).data?.role;
  const admin = useThing<Me>(paths.me).data?.admin === true;
  return { writes: admin || Boolean(role), owns: admin || role === "data_owner" };
}
