const CHARSET = /;\s*charset\s*\*?\s*=\s*("[^"]*"|[^;]*)/gi;
const UTF_8 = new Set(['utf-8', 'utf8']);

/** Whether a Content-Type names no charset, or UTF-8. Another one is refused: read as UTF-8 it would be another text. */
export function isOfUtf8(contentType: string): boolean {
  // What nearly all callers send.
  if (contentType === 'application/json') return true;
  return [...contentType.matchAll(CHARSET)].every(([, name = '']) =>
    UTF_8.has(name.replaceAll('"', '').trim().toLowerCase()),
  );
}
