import { EXIT } from '@disparo/contract';
import { document } from '../../postman/build/document.js';
import { built, outOfDate, write, writeAnswers } from '../../postman/build/files.js';
import { CommandError } from '../../services/command-error.js';
import { healthyApi } from './postman/address.js';
import { say } from './supervise/terminal.js';

const USAGE = 'npm run postman [-- [record] [url of the API] | build | verify]';

/**
 * `npm run postman [-- url]`: runs the whole collection against a running API that is healthy. `record` keeps its answers as
 * the examples, `build` writes the collection, `verify` tells whether the collection is up to date. Returns the exit code.
 */
export default async function postman(args: string[]): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'build' || action === 'verify') {
    if (rest.length > 0) throw new CommandError(`usage: ${USAGE}`);
    return action === 'build' ? build() : verify();
  }
  const [url, ...surplus] = action === 'record' ? rest : args;
  if (surplus.length > 0 || url?.startsWith('-')) throw new CommandError(`usage: ${USAGE}`);
  const base = await healthyApi(url);
  // For `npm run postman | head`: there is no other way to stop a run.
  process.stdout.on('error', () => process.exit(EXIT.forced));
  say(`The API at ${base}`);
  return action === 'record' ? record(base) : run(base);
}

async function build(): Promise<number> {
  const changed = write(built(await document()));
  for (const path of changed) say(`Written: ${path}`);
  if (changed.length === 0) say('The collection is up to date');
  return 0;
}

async function verify(): Promise<number> {
  const wrong = outOfDate(built(await document()));
  for (const path of wrong) say(`${path} is out of date: npm run postman -- build`);
  return wrong.length === 0 ? 0 : EXIT.bug;
}

/** Runs the collection. newman is loaded only here, as it is large and `build` does not need it. */
async function run(base: string): Promise<number> {
  const { runCollection } = await import('../../postman/build/run.js');
  const { failures } = await runCollection(base, { show: true });
  return failures.length === 0 ? 0 : EXIT.bug;
}

async function record(base: string): Promise<number> {
  const { runCollection } = await import('../../postman/build/run.js');
  const { failures, answers } = await runCollection(base, { show: true });
  if (failures.length > 0) throw new CommandError('The run failed, so nothing was recorded', EXIT.bug);
  writeAnswers(answers);
  return build();
}
