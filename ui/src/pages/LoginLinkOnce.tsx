import type { LoginLink } from "../api/types";
import { ShownOnce } from "../parts/ShownOnce";
import { Time } from "../parts/Time";

/** A login link to hand over. */
export function LoginLinkOnce({ link }: { link: LoginLink }) {
  return (
    <ShownOnce label="Login link" value={new URL(link.url, location.href).href}>
      Send this link to them now: it is shown only here, works once, and ends <Time at={link.expires} />. Logged in, they can set a password by clicking their name.
    </ShownOnce>
  );
}
