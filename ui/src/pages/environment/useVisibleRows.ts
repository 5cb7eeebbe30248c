import { useEffect, useState, type RefObject } from "react";

const overscan = 12; // rows drawn beyond the window, so that scrolling meets no gap
const atFirst = 40;

export interface Visible {
  from: number;
  to: number;
}

/** The rows of a tall list that are in the window or near it. All rows are of one height, in pixels. */
export function useVisibleRows(list: RefObject<HTMLElement | null>, count: number, height: number): Visible {
  const [visible, setVisible] = useState<Visible>({ from: 0, to: atFirst });

  useEffect(() => {
    function look() {
      const top = list.current?.getBoundingClientRect().top ?? 0;
      const next = visibleRows(-top, innerHeight, count, height);
      setVisible((before) => (before.from === next.from && before.to === next.to ? before : next));
    }
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [list, count, height]);

  return { from: Math.min(visible.from, count), to: Math.min(visible.to, count) };
}

/** The rows within a window that begins so far below the list's top. They come in steps, so that scrolling seldom draws anew. */
export function visibleRows(scrolled: number, windowHeight: number, count: number, height: number): Visible {
  const first = Math.floor(scrolled / height) - overscan;
  const last = Math.ceil((scrolled + windowHeight) / height) + overscan;
  const from = Math.max(0, Math.min(count, first - (first % overscan)));
  return { from, to: Math.max(from, Math.min(count, last + overscan - (last % overscan))) };
}
