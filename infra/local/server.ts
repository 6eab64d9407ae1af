import { runAlone } from './supervise/session.js';

/** `npm run server`: the API on a port, with its own dispatch loop. Answers its exit code. */
export default async function server(): Promise<number> {
  return runAlone({ name: 'server', args: ['dist/functions/server.js'] });
}
