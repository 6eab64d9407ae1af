import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PAGE = 'docs/um-coletor-segue-o-pull-next.md';
const SEPARATOR = '--- the next step ---';

let stage: ApiStage;
let folder: string;

beforeAll(async () => {
  stage = await ApiStage.open();
  folder = mkdtempSync(join(tmpdir(), 'disparo-walkthrough-'));
});

afterAll(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The blocks of a page in one language, in order. */
function blocks(language: string): string[] {
  const page = readFileSync(PAGE, 'utf8');
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text ?? '');
}

/** What differs from run to run is named: messages, tokens, ISPBs, times. */
function outline(output: string): string {
  return output
    .replaceAll('\r', '')
    .replaceAll(/^\{"endToEndId".*\}$/gm, '<message>')
    .replaceAll(/stream\/[0-9a-z]{12}/g, 'stream/<token>')
    .replaceAll(/"ispb":"\d{8}"/g, '"ispb":"<ispb>"')
    .replaceAll(/\b\d\d:\d\d:\d\d\b/g, '<time>')
    .replaceAll(/\d+[.,]\d+ s$/gm, '<seconds>')
    .replaceAll(/retry-after: \d+/g, 'retry-after: <seconds>')
    .trim();
}

test('each curl line of the walkthrough does what is printed below it', async () => {
  const ana = await stage.user({ email: 'ana@example.com' });
  const company = await stage.company(ana);
  const script = blocks('sh').join(`\necho '${SEPARATOR}'\n`).replace('http://127.0.0.1:3000', stage.url);
  // It makes folders by mktemp, and leaves them.
  const env = { ...process.env, TMPDIR: folder, TOKEN: ana.token, COMPANY: company.id };
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script], { cwd: folder, env });
  // The first block only sets variables, and prints nothing.
  expect(stdout.split(SEPARATOR).map(outline)).toEqual(['', ...blocks('text').map(outline)]);
  expect(stderr).toBe('');
});
