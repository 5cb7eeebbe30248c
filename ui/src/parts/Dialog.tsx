import { useId, useLayoutEffect, useRef, type MouseEvent, type ReactNode } from "react";
import { CloseIcon } from "./icons";

interface Props {
  title: string;
  onClose: () => void;
  /** For what needs room: lists, code. */
  wide?: boolean;
  children: ReactNode;
}

/**
 * A modal dialog: the browser keeps the focus inside, closes it on Escape and puts the focus back. What has data-first gets the
 * focus when it opens.
 */
export function Dialog({ title, onClose, wide = false, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();

  // Before the dialog leaves the page: one that is gone puts no focus back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    dialog.showModal();
    // React's autoFocus comes before the dialog is open, when nothing in it can have the focus.
    dialog.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => dialog.close();
  }, []);

  function closeOnBackdrop(event: MouseEvent) {
    if (event.target === ref.current) onClose();
  }

  return (
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onMouseDown={closeOnBackdrop}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="dialog-sheet">
        <div className="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
            <CloseIcon />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** The row of buttons at a dialog's foot. */
export function DialogFoot({ children }: { children: ReactNode }) {
  return <div className="dialog-foot">{children}</div>;
}
