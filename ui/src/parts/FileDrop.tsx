import { useState, type DragEvent, type ReactNode } from "react";
import { Button } from "./Button";

const largest = 8 << 20; // a lock file of ten thousand packages has a few megabytes

interface DropProps {
  onFile: (name: string, text: string) => void;
  onRefused: (why: string) => void;
  children: ReactNode;
}

/** Takes a text file that is dropped on what it holds. */
export function FileDrop({ onFile, onRefused, children }: DropProps) {
  const [over, setOver] = useState(false);

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) void readText(file, onFile, onRefused);
  }

  return (
    <div
      className={over ? "drop over-it" : "drop"}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      {children}
    </div>
  );
}

interface PickProps {
  accept: string;
  onFile: (name: string, text: string) => void;
  onRefused: (why: string) => void;
  children: ReactNode;
}

/** A button that asks for a text file. */
export function FilePick({ accept, onFile, onRefused, children }: PickProps) {
  function pick() {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.onchange = () => {
      const file = input.files?.[0];
      if (file) void readText(file, onFile, onRefused);
    };
    input.click();
  }
  return <Button onClick={pick}>{children}</Button>;
}

async function readText(file: File, onFile: PickProps["onFile"], onRefused: PickProps["onRefused"]): Promise<void> {
  if (file.size > largest) return onRefused(`${file.name} is too large to be such a file.`);
  try {
    onFile(file.name, new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()).replace(/^\uFEFF/, "").replaceAll("\r\n", "\n"));
  } catch {
    onRefused(`${file.name} is no text in UTF-8.`);
  }
}
