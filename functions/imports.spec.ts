import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const FOLDER = dirname(fileURLToPath(import.meta.url));
/** What each module may import as well as itself. A file of no module is an entry and may import everything. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  platform: [],
  recipients: ['platform'],
  retention: ['platform'],
  accounts: ['platform'],
  contacts: ['accounts', 'retention', 'platform'],
  events: ['accounts', 'platform'],
  pix: ['accounts', 'retention', 'platform'],
  webhooks: ['events', 'accounts', 'platform'],
  ledger: ['accounts', 'retention', 'recipients', 'platform'],
  billing: ['uploads', 'accounts', 'retention', 'platform'],
  campaigns: ['ledger', 'accounts', 'recipients', 'platform'],
  uploads: ['campaigns', 'ledger', 'accounts', 'retention', 'recipients', 'platform'],
};
const LEDGER_SQL = /\b(?:FROM|JOIN|INTO|UPDATE|COPY)\s+(?:campaigns|campaign_chunks|campaign_rejects)\b/g;
const MESSAGES = /\.messages\(\)/g;

const sources = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !path.startsWith('test/'))
  .map((path) => ({ path, text: readFileSync(join(FOLDER, path), 'utf8') }));

function moduleOf(path: string): string | undefined {
  const [folder = ''] = path.split('/');
  return folder in MAY_IMPORT ? folder : undefined;
}

function importsOf({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(/from '(\.[^']+)\.js'/g)].map(([, to = '']) => posix.join(posix.dirname(path), `${to}.ts`));
}

test('imports run one way: a module takes from those below it, and platform from none', () => {
  const wrong = sources.flatMap((source) => {
    const from = moduleOf(source.path);
    if (from === undefined) return [];
    const allowed = [from, ...(MAY_IMPORT[from] ?? [])];
    return importsOf(source)
      .filter((to) => !allowed.includes(moduleOf(to) ?? '') && !to.startsWith('../'))
      .map((to) => `${source.path} -> ${to}`);
  });
  expect(wrong).toEqual([]);
});

test('each folder with a module has a line here', () => {
  const modules = sources.filter(({ path }) => path.endsWith('.module.ts') && path.includes('/'));
  expect(modules.filter(({ path }) => moduleOf(path) === undefined).map(({ path }) => path)).toEqual([]);
});

test('no module takes the repository of another one', () => {
  const taken = sources.flatMap((source) =>
    importsOf(source)
      .filter((to) => to.endsWith('.repository.ts') && moduleOf(to) !== moduleOf(source.path))
      .map((to) => `${source.path} -> ${to}`),
  );
  expect(taken).toEqual([]);
});

test('the ledger alone has statements on its tables and documents', () => {
  const elsewhere = sources
    .filter(({ path }) => moduleOf(path) !== 'ledger' && path !== 'platform/stores/mongo.ts')
    .flatMap(({ path, text }) =>
      [...text.matchAll(LEDGER_SQL), ...text.matchAll(MESSAGES)].map(([it]) => `${path}: ${it}`),
    );
  expect(elsewhere).toEqual([]);
});
