import { parseArgs } from 'node:util';
import { integerKey, readEnvironment, textKey } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { appScript } from './supervise/app-command.js';
import { baseUrl } from './supervise/offline.js';
import { announceApi } from './supervise/running-api.js';
import { runAlone } from './supervise/session.js';

const USAGE = 'usage: npm run server [-- --processes <n>]';

/** `npm run server`: the API on a port, in one process or several, with its own duties. Returns its exit code. */
export default async function server(args: string[]): Promise<number> {
  const processes = processesOf(args);
  const environment = { ...readEnvironment(), ...processes };
  integerKey(environment, 'API_PROCESSES');
  const port = integerKey(environment, 'API_PORT');
  // With port 0, any free port, only the server itself knows its port.
  if (port !== 0) announceApi(baseUrl(textKey(environment, 'API_HOST'), port));
  return runAlone({ name: 'server', args: appScript('server'), env: processes });
}

/** The variable that an option stands for. Throws CommandError. */
function processesOf(args: string[]): Record<string, string> {
  try {
    const { processes } = parseArgs({ args, options: { processes: { type: 'string' } } }).values;
    return processes === undefined ? {} : { API_PROCESSES: processes };
  } catch {
    throw new CommandError(USAGE);
  }
}
