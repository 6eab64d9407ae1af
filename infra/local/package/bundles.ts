import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { BuildOptions } from 'esbuild';

/** tsc's output and not its input: esbuild drops the metadata of decorators, and Nest would then boot an empty app. */
export const COMPILED = 'dist/functions';
/** Where bundles are, in the clone and in a zip. `contract-file.ts` looks one folder above its code: in dist. */
export const BUNDLES = 'dist/bundle';
const COMMANDS = 'commands';
const CONTRACT = 'consumer/contract';
const CONTRACT_FILES = /^(?!package\.|tsconfig\.).*\.(sql|json)$/;
/** Packages that Nest loads where an app uses them. This app does not, so they are not installed. */
const NOT_INSTALLED = [
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
];
/** Gives require() to bundled packages that need it, as a module has none. The import has a name that no package uses. */
const REQUIRE =
  "import { createRequire as requireOfBundle } from 'node:module'; const require = requireOfBundle(import.meta.url);";
/**
 * The page of /api/docs is files next to its code. Our code imports the SDK when it first needs it: in a bundle of several parts
 * such an import of CommonJS has no names, only a default.
 */
const NOT_BUNDLED = ['swagger-ui-dist', '@aws-sdk'];
/** In place of a package that fails in a bundle: the file says why. */
const PDFKIT = 'infra/local/package/pdfkit.mjs';
/** Written last: what the bundles were made of. */
const MADE_OF = join(BUNDLES, '.made-of');
const DAY_MS = 86_400_000;

/** What all bundles have in common. `without`: packages that stay outside. */
export function bundleOptions(without: readonly string[] = []): BuildOptions {
  return {
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: [...NOT_INSTALLED, ...without].flatMap((each) => [each, `${each}/*`]),
    alias: { pdfkit: resolve(PDFKIT) },
    banner: { js: REQUIRE },
    // The OpenAPI document and the log name classes.
    keepNames: true,
  };
}

/** The files of the contract that code reads at run time, by name. */
export function contractFiles(): Record<string, Uint8Array> {
  const names = readdirSync(CONTRACT)
    .filter((name) => CONTRACT_FILES.test(name))
    .sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(CONTRACT, name))]));
}

/**
 * Bundles what the API's processes on this machine run, unless the bundles are current: a process loads some twenty files in
 * place of two thousand, in a third of the time. esbuild itself prints why it cannot.
 */
export async function makeBundles(): Promise<void> {
  const inputs = inputsNow();
  if (existsSync(MADE_OF) && readFileSync(MADE_OF, 'utf8') === inputs) return;
  const [{ build }, { functionNames }] = await Promise.all([import('esbuild'), import('./function-names.js')]);
  const commands = readdirSync(join(COMPILED, COMMANDS)).filter((file) => file.endsWith('.js'));
  const entries = ['server', 'processor', 'command', ...functionNames()].map((name) => `${name}.js`);
  const { outputFiles = [] } = await build({
    ...bundleOptions(NOT_BUNDLED),
    entryPoints: [...entries, ...commands.map((file) => `${COMMANDS}/${file}`)].map((file) => join(COMPILED, file)),
    outbase: COMPILED,
    outdir: BUNDLES,
    write: false,
    target: 'node20',
    splitting: true,
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
  // New parts first: an entry that is replaced finds its own.
  const [replaced = [], fresh = []] = [true, false].map((is) =>
    outputFiles.filter(({ path }) => existsSync(path) === is),
  );
  for (const { path, contents } of [...fresh, ...replaced]) write(path, contents);
  for (const [name, contents] of Object.entries(contractFiles())) write(join('dist', name), contents);
  removeOld(new Set(outputFiles.map(({ path }) => path)));
  write(MADE_OF, Buffer.from(inputs));
}

/** Which version of everything that goes into the bundles is there now. tsc writes its own file whenever it writes another. */
function inputsNow(): string {
  const contract = Object.keys(contractFiles()).map((name) => join(CONTRACT, name));
  const compiled = ['dist/.tsbuildinfo', join(CONTRACT, 'dist', '.tsbuildinfo')];
  return [...compiled, ...contract, PDFKIT, 'serverless.yml', 'node_modules/.package-lock.json']
    .map((file) => `${file} ${statSync(file).mtimeMs} ${statSync(file).size}\n`)
    .join('');
}

/** A process that starts meanwhile finds a whole file, the earlier one or this. */
function write(file: string, contents: Uint8Array): void {
  if (existsSync(file) && readFileSync(file).equals(contents)) return;
  mkdirSync(dirname(file), { recursive: true });
  const half = `${file}.${process.pid}`;
  writeFileSync(half, contents);
  renameSync(half, file);
}

/** Parts of earlier bundles stay for a day: a process that runs may yet load them. */
function removeOld(current: Set<string>): void {
  for (const entry of readdirSync(BUNDLES, { recursive: true, withFileTypes: true })) {
    const file = resolve(entry.parentPath, entry.name);
    if (entry.isFile() && !current.has(file) && statSync(file).mtimeMs < Date.now() - DAY_MS) rmSync(file);
  }
}
