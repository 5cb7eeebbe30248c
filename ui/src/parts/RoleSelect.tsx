import type { Role } from "../api/types";
import { roles } from "../text/role";

interface Props {
  label: string;
  value: Role;
  onChange: (role: Role) => void;
  disabled?: boolean;
  id?: string;
}

/** Chooses a role in a project. */
export function RoleSelect({ label, value, onChange, disabled, id }: Props) {
  return (
    <select id={id} className="control" aria-label={label} value={value} disabled={disabled} onChange={(event) => onChange(event.target.value as Role)}>
      {roles.map(({ role, name }) => (
        <option key={role} value={role}>
          {name}
        </option>
      ))}
    </select>
  );
}
