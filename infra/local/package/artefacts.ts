import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Zippable, zipSync } from 'fflate';
import { load } from 'js-yaml';

/** The names of the functions in serverless.yml, which are also the names of the files with their handlers. */
export function functionNames(): string[] {
  const { functions } = load(readFileSync('serverless.yml', 'utf8')) as { functions: object };
  return Object.keys(functions);
}

/** What is deployed for one function. */
export interface Artefact {
  name: string;
  /** The path of the zip. */
  file: string;
  bytes: number;
  /** The size of all its files. */
  unpackedBytes: number;
}

/** tsc's output and not its input: esbuild drops the metadata of decorators, and Nest would then boot an empty app. */
const COMPILED = 'dist/functions';
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
/** The earliest time in a zip. It is local, as zips hold local time: the bytes are the same in every time zone. */
const MODIFIED = new Date(1980, 0, 1);
const UNIX = 3;
/** -rw-r--r--, in the upper half of the attributes, as for Unix. A function runs as another user, who must read the file. */
const READABLE = 0o100644 * 0x1_0000;

/**
 * Makes a zip for each function in `folder`, from tsc's output: one bundle with all its packages, and the files of the
 * contract that it reads. The same source and packages make the same bytes.
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
    // Names stay, for stack traces and for code that uses the name of a class.
    minifySyntax: true,
    minifyWhitespace: true,
    external: NOT_INSTALLED.flatMap((each) => [each, `${each}/*`]),
    banner: { js: REQUIRE },
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

/** The files of the contract, one folder above the bundle: contract-file.ts looks one folder above its own code. */
function contractFiles(): Record<string, Uint8Array> {
  const names = readdirSync(CONTRACT)
    .filter((name) => CONTRACT_FILES.test(name))
    .sort();
  return Object.fromEntries(names.map((name) => [`dist/${name}`, readFileSync(join(CONTRACT, name))]));
}
