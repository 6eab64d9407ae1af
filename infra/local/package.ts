import { CommandError } from '../../services/command-error.js';
import { makeArtefacts } from './package/artefacts.js';
import { say } from './supervise/terminal.js';

/** Where serverless.yml looks for them. */
const FOLDER = 'dist/package';

/** `npm run package`: a zip a function, as a cloud account takes it. Answers the exit code. */
export default async function pack(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run package');
  for (const { file, bytes, unpackedBytes } of await makeArtefacts(FOLDER))
    say(`${file}  ${megabytes(bytes)}, ${megabytes(unpackedBytes)} unpacked`);
  return 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
