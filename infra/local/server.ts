import { integerKey, readEnvironment } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { baseUrl } from './supervise/offline.js';
import { announceApi } from './supervise/running-api.js';
import { runAlone } from './supervise/session.js';

/** `npm run server`: the API on a port, with its own dispatch loop. Answers its exit code. */
export default async function server(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run server');
  const environment = readEnvironment();
  const port = integerKey(environment, 'API_PORT', { min: 0, max: 65_535, default: 3_000 });
  // Any free port is one that only the server itself knows.
  if (port !== 0) announceApi(baseUrl(environment.API_HOST ?? '127.0.0.1', port));
  return runAlone({ name: 'server', args: ['dist/functions/server.js'] });
}
