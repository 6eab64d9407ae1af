import { integerKey, readEnvironment, textKey } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { baseUrl } from './supervise/offline.js';
import { announceApi } from './supervise/running-api.js';
import { runAlone } from './supervise/session.js';

/** `npm run server`: the API on a port, with its own dispatch loop. Returns its exit code. */
export default async function server(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run server');
  const environment = readEnvironment();
  const port = integerKey(environment, 'API_PORT');
  // With port 0, any free port, only the server itself knows its port.
  if (port !== 0) announceApi(baseUrl(textKey(environment, 'API_HOST'), port));
  return runAlone({ name: 'server', args: ['dist/functions/server.js'] });
}
