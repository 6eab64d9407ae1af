import { runAlone } from './supervise/session.js';

/** `npm run dispatch`: one pass that publishes what is owed. Answers its exit code. */
export default async function dispatch(): Promise<number> {
  return runAlone({ name: 'dispatch', args: ['dist/functions/dispatch-once.js'] });
}
