import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Zippable, zipSync } from 'fflate';
import { BUNDLES, bundleOptions, COMPILED, contractFiles } from './bundles.js';
import { functionNames } from './function-names.js';

/** What is deployed for one function. */
export interface Artefact {
  name: string;
  /** The path of the zip. */
  file: string;
  bytes: number;
  /** The size of all its files. */
  unpackedBytes: number;
}

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
    const contract = Object.entries(contractFiles()).map(([path, content]) => [`dist/${path}`, content]);
    const files: Zippable = { ...Object.fromEntries(contract), [`${BUNDLES}/${name}.mjs`]: bundled };
    const zip = zipSync(files, { level: 9, mtime: MODIFIED, os: UNIX, attrs: READABLE });
    const file = join(folder, `${name}.zip`);
    writeFileSync(file, zip);
    const unpackedBytes = Object.values(files).reduce((sum, content) => sum + (content as Uint8Array).length, 0);
    return { name, file, bytes: zip.length, unpackedBytes };
  });
}

async function bundle(name: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...bundleOptions(),
    entryPoints: [`${COMPILED}/${name}.js`],
    write: false,
    target: 'node24',
    // Names stay, for stack traces.
    minifySyntax: true,
    minifyWhitespace: true,
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}
