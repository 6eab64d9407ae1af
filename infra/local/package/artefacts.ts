import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Zippable, zipSync } from 'fflate';
import { load } from 'js-yaml';

/** The names of the functions, by the files that have their handlers: serverless.yml is the list of them. */
export function functionNames(): string[] {
  const { functions } = load(readFileSync('serverless.yml', 'utf8')) as { functions: object };
  return Object.keys(functions);
}

/** What is deployed of one function. */
export interface Artefact {
  name: string;
  /** The zip. */
  file: string;
  bytes: number;
  /** Of all its files. */
  unpackedBytes: number;
}

/** tsc's output, and not its input: esbuild drops the metadata of decorators, without which Nest boots an app of nothing. */
const COMPILED = 'dist/functions';
const CONTRACT = 'consumer/contract';
const CONTRACT_FILES = /^(?!package\.|tsconfig\.).*\.(sql|json)$/;
/** Nest loads them where an app uses them. This one does not: they are not installed. */
const NOT_INSTALLED = [
  '@fastify/view',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
];
/** Packages written for require() find it nowhere in a module; it goes by a name that no package has. */
const REQUIRE =
  "import { createRequire as requireOfBundle } from 'node:module'; const require = requireOfBundle(import.meta.url);";
/** The earliest that a zip can say, read in the time zone of whoever writes it: the same bytes everywhere. */
const MODIFIED = new Date(1980, 0, 1);
const UNIX = 3;
/** -rw-r--r--, in the upper half as Unix keeps it: a function runs as a user of its own. */
const READABLE = 0o100644 * 0x1_0000;

/**
 * Makes a zip a function in `folder`, from what tsc has made: one bundle with all its packages, and the files of the contract
 * that it reads. The same source and packages make the same bytes.
 */
export async function makeArtefacts(folder: string): Promise<Artefact[]> {
  const bundles = await Promise.all(functionNames().map(async (name) => [name, await bundle(name)] as const));
  mkdirSync(folder, { recursive: true });
  return bundles.map(([name, bundled]) => {
    const files: Zippable = { ...contractFiles(), [`${COMPILED}/${name}.mjs`]: bundled };
    const zip = zipSync(files, { level: 9, mtime: MODIFIED, os: UNIX, attrs: READABLE });
    const file = join(folder, `${name}.zip`);
    writeFileSync(file, zip);
    const unpackedBytes = Object.values(files).reduce((sum, content) => sum + (content as Uint8Array).length, 0);
    return { name, file, bytes: zip.length, unpackedBytes };
  });
}

async function bundle(name: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [`${COMPILED}/${name}.js`],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Names stay, for stack traces and for what goes by the name of a class.
    minifySyntax: true,
    minifyWhitespace: true,
    external: NOT_INSTALLED.flatMap((each) => [each, `${each}/*`]),
    banner: { js: REQUIRE },
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

/** contract-file.ts looks one folder up from where its code stands, which is the bundle's folder here. */
function contractFiles(): Record<string, Uint8Array> {
  const names = readdirSync(CONTRACT)
    .filter((name) => CONTRACT_FILES.test(name))
    .sort();
  return Object.fromEntries(names.map((name) => [`dist/${name}`, readFileSync(join(CONTRACT, name))]));
}
