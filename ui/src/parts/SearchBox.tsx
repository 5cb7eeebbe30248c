import { SearchIcon } from "./icons";

interface Props {
  label: string;
  /** What stands in the empty box, where the label is too long for it. */
  placeholder?: string;
  value: string;
  onChange: (value: string) => void;
  onEnter?: () => void;
}

/** The page's search. The key "/" goes to it, Escape empties it. */
export function SearchBox({ label, placeholder = label, value, onChange, onEnter }: Props) {
  return (
    <div className="search">
      <SearchIcon />
      <input
        type="search"
        className="control"
        aria-label={label}
        aria-keyshortcuts="/"
        placeholder={placeholder}
        value={value}
        data-search
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onEnter?.();
          if (event.key === "Escape") {
            onChange("");
            event.currentTarget.blur();
          }
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}
