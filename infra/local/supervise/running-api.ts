import { announce, announced } from '../../../services/announced.js';
import { isCommand } from '../../../services/process.js';

const KIND = 'apis';

/** Notes where the API of this command listens, until the process ends; `npm run postman` looks there. */
export function announceApi(base: string, root = process.cwd()): void {
  announce(KIND, base, root);
}

/** Where the APIs of this clone's living commands listen, the newest first. Removes the notes of killed commands. */
export function runningApis(root = process.cwd(), isOurs = isCommand): string[] {
  return announced(KIND, root, isOurs);
}
