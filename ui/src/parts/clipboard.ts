/** Browsers give the clipboard to pages on TLS and loopback only; elsewhere the selected text can be copied the old way. */
export async function copyText(text: string): Promise<boolean> {
  if (!navigator.clipboard) return document.execCommand("copy");
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
