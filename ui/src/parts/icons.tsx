// Line icons on a 16-pixel grid. They repeat what a word beside them says, so they are hidden from screen readers.

import type { ReactNode } from "react";

function icon(shape: ReactNode) {
  return function Icon({ className }: { className?: string }) {
    return (
      <svg
        width="16"
        height="16"
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        className={className}
      >
        {shape}
      </svg>
    );
  };
}

export const ProjectsIcon = icon(<path d="M2.5 3h4.5v4.5H2.5zM9 3h4.5v4.5H9zM2.5 9.5H7v4H2.5zM9 9.5h4.5v4H9z" />);
export const HomeIcon = icon(<path d="M2.5 7.3 8 2.7l5.5 4.6v6H9.7V9.6H6.3v3.7H2.5z" />);
export const RunningIcon = icon(<path d="M1.5 8.5h3l2-5 3 9.5 2-4.5h3" />);
export const EnvironmentIcon = icon(<path d="M8 1.8 13.5 5v6L8 14.2 2.5 11V5zM2.7 5.1 8 8.1l5.3-3M8 8.1v6" />);
export const UpIcon = icon(<path d="M8 13V3.5M4 7.3l4-4 4 4" />);
export const BackIcon = icon(<path d="m9.5 3.5-4.5 4.5 4.5 4.5" />);
export const DownloadIcon = icon(<path d="M8 2.5v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" />);
export const PinIcon = icon(<path d="M5.5 2.5h5M6.5 2.5v4L4 9.5h8L9.5 6.5v-4M8 9.5v4.5" />);
export const MembersIcon = icon(<path d="M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c.3-2.5 2-4 4.5-4s4.2 1.5 4.5 4M10.5 7.3a2.3 2.3 0 0 0 .3-4.5M12 9.8c1.5.5 2.3 1.8 2.5 3.7" />);
export const TokensIcon = icon(<path d="M10.5 2.5a3.5 3.5 0 1 1-3.3 4.7L2 12.3v1.7h2.5v-1.5h1.8V10.7h1.5l1.3-1.3M11 5h.01" />);
export const PersonIcon = icon(<path d="M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.5c.3-2.5 2.2-4 5-4s4.7 1.5 5 4" />);
export const LogOutIcon = icon(<path d="M6.5 2.5H3v11h3.5M10 5l3 3-3 3M13 8H6.5" />);
export const OutwardIcon = icon(<path d="M6 3.5H3v9.5h9.5v-3M9 3h4v4M13 3 7.5 8.5" />);
export const SearchIcon = icon(<path d="M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3l3.2 3.2" />);
export const PlusIcon = icon(<path d="M8 3v10M3 8h10" />);
export const CopyIcon = icon(<path d="M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z" />);
export const DoneIcon = icon(<path d="m3 8.5 3.3 3.3L13 4.5" />);
export const WarningIcon = icon(<path d="M8 2.5 14.2 13.3H1.8zM8 6.5v3M8 11.5h.01" />);
export const CloseIcon = icon(<path d="m3.5 3.5 9 9M12.5 3.5l-9 9" />);
export const LockIcon = icon(<path d="M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5" />);
export const TrashIcon = icon(<path d="M2.5 4.5h11M6 4.5V2.5h4v2M4 4.5l.7 9h6.6l.7-9M6.7 7.2v3.6M9.3 7.2v3.6" />);
export const SortIcon = icon(<path d="m4.5 6.5 3.5 3.5 3.5-3.5" />);

/** A hop cone: the mark. */
export function Mark() {
  return (
    <svg viewBox="0 0 32 32" fill="currentColor" aria-hidden="true">
      <path d="M16 2.5c3.4 1.9 5.2 4.3 5.2 7.1-1.4-1-3.1-1.6-5.2-1.6s-3.8.6-5.2 1.6c0-2.8 1.8-5.2 5.2-7.1Z" />
      <path d="M16 10.2c2.5 0 4.5 1 6 2.6 1-.6 2-.8 3.2-.8.3 3.4-.8 6.2-3.3 8.3-1.3-2-3.3-3.1-5.9-3.1s-4.6 1.1-5.9 3.1C7.6 18.2 6.5 15.4 6.8 12c1.2 0 2.2.2 3.2.8 1.5-1.6 3.5-2.6 6-2.6Z" />
      <path d="M16 19.4c3.2 0 5.2 2.2 5.2 5 0 2.3-1.8 4.2-5.2 5.6-3.4-1.4-5.2-3.3-5.2-5.6 0-2.8 2-5 5.2-5Z" />
    </svg>
  );
}

/** JupyterLab's door: a window with a file list and a notebook's cells. */
export function LabArt() {
  return (
    <svg viewBox="0 0 64 48" fill="none" stroke="currentColor" strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" aria-hidden="true">
      <rect x="3" y="4" width="58" height="40" rx="5" />
      <path d="M19 4v40M8 13h6M8 20h6M8 27h6" opacity=".55" />
      <rect x="25" y="12" width="30" height="8" rx="2" />
      <rect x="25" y="26" width="30" height="12" rx="2" opacity=".55" />
    </svg>
  );
}

/** Notebook's door: one page of cells. */
export function NotebookArt() {
  return (
    <svg viewBox="0 0 64 48" fill="none" stroke="currentColor" strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" aria-hidden="true">
      <rect x="14" y="3" width="38" height="42" rx="5" />
      <rect x="22" y="11" width="22" height="8" rx="2" />
      <path d="M22 27h22M22 33h22M22 39h12" opacity=".55" />
    </svg>
  );
}
