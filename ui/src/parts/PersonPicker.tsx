import { useId, useState, type KeyboardEvent } from "react";
import type { User } from "../api/types";

interface Props {
  field: { id: string; className: string };
  /** Undefined while they are being read. */
  people: User[] | undefined;
  chosen: User | undefined;
  onChoose: (user: User | undefined) => void;
}

const most = 4;

/** Finds a person by typing: arrow keys go through the list, Enter takes the one that is marked. */
export function PersonPicker({ field, people, chosen, onChoose }: Props) {
  const [text, setText] = useState("");
  const [marked, setMarked] = useState(0);
  const listId = useId();
  const matches = (people ?? []).filter((p) => matchesText(p, text)).slice(0, most);
  const choosing = chosen === undefined;

  function take(user: User) {
    onChoose(user);
    setText(user.name);
  }

  function press(event: KeyboardEvent) {
    const move = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const hit = matches[marked];
    if (move !== 0) setMarked(Math.max(0, Math.min(matches.length - 1, marked + move)));
    else if (event.key === "Enter" && choosing && hit) take(hit);
    else return;
    event.preventDefault();
  }

  return (
    <div className="picker">
      <input
        {...field}
        role="combobox"
        aria-expanded={choosing}
        aria-controls={listId}
        aria-activedescendant={choosing && matches[marked] ? `${listId}-${marked}` : undefined}
        placeholder="Search by name"
        value={text}
        data-first
        autoComplete="off"
        spellCheck={false}
        onKeyDown={press}
        onChange={(event) => {
          setText(event.target.value);
          setMarked(0);
          onChoose(undefined);
        }}
      />
      <ul className="picker-list" id={listId} role="listbox" aria-label="People">
        {chosen ? (
          <li className="picker-row chosen">
            <Person user={chosen} />
          </li>
        ) : (
          matches.map((user, i) => (
            <li key={user.name} id={`${listId}-${i}`} role="option" aria-selected={i === marked} className="picker-row" onClick={() => take(user)} onMouseEnter={() => setMarked(i)}>
              <Person user={user} />
            </li>
          ))
        )}
        {choosing && matches.length === 0 && <li className="picker-row soft">{people ? nobody(people, text) : "Reading who is here…"}</li>}
      </ul>
    </div>
  );
}

function Person({ user }: { user: User }) {
  return (
    <>
      <span className="list-name">{user.display_name || user.name}</span>
      <span className="small soft">{user.name}</span>
    </>
  );
}

function nobody(people: User[], text: string): string {
  return people.length === 0 ? "Everybody with an account is in the project." : `Nobody is called “${text.trim()}”.`;
}

function matchesText(user: User, text: string): boolean {
  return `${user.name} ${user.display_name}`.toLowerCase().includes(text.trim().toLowerCase());
}
