import { Link, to } from "../router";

/** An address that shows nothing. */
export function Missing() {
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>There is no page here</h1>
          <p>
            The address may be mistyped. <Link href={to.projects}>Your projects</Link> are a good place to go on from.
          </p>
        </div>
      </div>
    </div>
  );
}
