import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './process.js';

const SOURCE = /\.(ts|mjs)$/;
const NOT_OURS = new Set(['node_modules', 'dist', 'target', 'bin', '.git', '.local', '.serverless']);
const SPECIFIER = /(?:\bfrom|\bimport|\bimport\()\s*'([^']+)'/g;
/** Consumers, commands and suites import it, so it counts as a folder of its own. */
const CONTRACT = 'consumer/contract';
const CONTRACT_PACKAGE = '@disparo/contract';

/** `from` and `to`: paths from the root. */
interface Import {
  from: string;
  to: string;
}

/** Every import between files of the clone, specs and all, read as text. */
const imports: Import[] = sourcesIn(ROOT).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(SPECIFIER)].flatMap(([, specifier = '']) => {
    const from = relative(ROOT, file);
    if (specifier.startsWith(CONTRACT_PACKAGE)) return [{ from, to: join(CONTRACT, 'src') }];
    return specifier.startsWith('.') ? [{ from, to: relative(ROOT, resolve(dirname(file), specifier)) }] : [];
  }),
);

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : sourcesIn(join(folder, entry.name));
    return SOURCE.test(entry.name) ? [join(folder, entry.name)] : [];
  });
}

function folderOf(path: string): string {
  if (path.startsWith(CONTRACT)) return CONTRACT;
  const [top = '', ...rest] = path.replace(/^dist\//, '').split('/');
  return rest.length > 0 ? top : 'the root';
}

/**
 * The imports that keep folders in a circle: what is left when all imports from a folder that none imports, and to a folder
 * that imports none, are removed again and again.
 */
function circles(all: readonly Import[]): Import[] {
  const among = all.filter(({ from, to }) => folderOf(from) !== folderOf(to));
  const importing = new Set(among.map(({ from }) => folderOf(from)));
  const imported = new Set(among.map(({ to }) => folderOf(to)));
  const left = among.filter(({ from, to }) => importing.has(folderOf(to)) && imported.has(folderOf(from)));
  return left.length === among.length ? left : circles(left);
}

test('no folder imports another in a circle', () => {
  expect(imports.length).toBeGreaterThan(1_000);
  expect(circles(imports)).toEqual([]);
});

test('circles are found, and what only leads to one is not', () => {
  const round = [
    { from: 'a/x.ts', to: 'b/x.js' },
    { from: 'b/y.ts', to: 'c/x.js' },
    { from: 'c/z.ts', to: 'a/x.js' },
  ];
  expect(circles([...round, { from: 'd/x.ts', to: 'a/x.js' }, { from: 'c/x.ts', to: 'e/x.js' }])).toEqual(round);
  expect(circles(round.slice(1))).toEqual([]);
});

test('platform knows no module of the API', () => {
  const inside = imports.filter(({ from, to }) => /^functions\/platform\//.test(from) && /^functions\//.test(to));
  const beyond = inside.filter(({ from, to }) => !from.endsWith('.spec.ts') && !/^functions\/platform\//.test(to));
  expect([inside.length > 0, beyond]).toEqual([true, []]);
});

test('services and testing import nothing that is built on them', () => {
  const floors = { services: ['services', CONTRACT], testing: ['testing', 'services', CONTRACT] };
  for (const [folder, allowed] of Object.entries(floors)) {
    const beyond = imports.filter(({ from, to }) => folderOf(from) === folder && !allowed.includes(folderOf(to)));
    expect(beyond).toEqual([]);
  }
});
