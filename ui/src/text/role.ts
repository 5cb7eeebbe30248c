import type { Role } from "../api/types";

export const roles: { role: Role; name: string; may: string }[] = [
  { role: "data_owner", name: "Data owner", may: "manages members, stops anything, writes and runs code" },
  { role: "data_scientist", name: "Data scientist", may: "writes and runs code" },
];

/** The role's name; what an administrator has where they are no member. */
export function roleName(role: Role | "" | undefined): string {
  return roles.find((r) => r.role === role)?.name ?? "Not a member";
}
