import { CommandError } from '../../services/command-error.js';
import { makeArtefacts } from './package/artefacts.js';
import { say } from './supervise/terminal.js';

/** The folder where serverless.yml looks for the zips. */
const FOLDER = 'dist/package';

/** `npm run package`: a zip for each function, as a cloud account takes it. Returns the exit code. */
export default async function pack(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run package');
  for (const { file, bytes, unpackedBytes } of await makeArtefacts(FOLDER))
    say(`${file}  ${megabytes(bytes)}, ${megabytes(unpackedBytes)} unpacked`);
  return 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
