import { runAlone } from './supervise/session.js';

/** `npm run consumer`: one TypeScript consumer. Answers its exit code. */
export default async function consumer(): Promise<number> {
  return runAlone('consumer', 'consumer/typescript/dist/main.js');
}
