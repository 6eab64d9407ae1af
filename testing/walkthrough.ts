import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SEPARATOR = '--- the next step ---';
/** The address that pages use: that of `npm start`. */
const PRINTED_URL = 'http://127.0.0.1:3000';

/** The longest that a page may take: one of them waits eight seconds for nothing. */
const PATIENCE_MS = 60_000;

/** What a page prints below its blocks of sh, and what they print when they are run. */
export interface Walk {
  expected: string[];
  printed: string[];
  stderr: string;
}

/**
 * Runs all blocks of sh of a page in one shell, from the root of the clone, against `url`. The first block only sets variables and
 * has nothing printed below it; each other one has a block of text.
 */
export async function walk(page: string, url: string, env: Record<string, string>): Promise<Walk> {
  const text = readFileSync(page, 'utf8');
  const script = blocks(text, 'sh').join(`\necho '${SEPARATOR}'\n`).replace(PRINTED_URL, url);
  // A page makes folders by mktemp, and leaves them.
  const folder = mkdtempSync(join(tmpdir(), 'disparo-walkthrough-'));
  try {
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script], {
      env: { ...process.env, TMPDIR: folder, ...env },
      // A page may wait for something in a loop.
      timeout: PATIENCE_MS,
    });
    return { expected: ['', ...blocks(text, 'text')], printed: stdout.split(SEPARATOR), stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The blocks of a page in one language, in order. */
function blocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text ?? '');
}
