import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clone, State } from '../services/clone.js';
import type { ServiceName } from '../services/names.js';
import { ROOT } from './process.js';

const SERVICES = pathToFileURL(join(ROOT, 'dist/services/bring-up.js'));

/**
 * Reads its input until the process that started it is gone, however that ended. It imports the built modules, as plain node
 * runs it.
 */
const SCRIPT = `
  import { rmSync } from 'node:fs';
  import { text } from 'node:stream/consumers';
  const { name, clone, state } = JSON.parse(await text(process.stdin));
  const { SERVICES } = await import(${JSON.stringify(SERVICES.href)});
  await SERVICES.find((service) => service.name === name).stop(clone, state);
  rmSync(clone.data, { recursive: true, force: true });
`;

/**
 * Stops a service and removes its data when this process ends without having done so: after Ctrl-C, for one, a runner's
 * worker has no time to clean up. Returns a function that calls it off.
 */
export function reaper(name: ServiceName, clone: Clone, state: State): () => void {
  const args = ['--input-type=module', '--eval', SCRIPT];
  // In a session of its own: what ends the terminal's processes must not end it.
  const waiting = spawn(process.execPath, args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  waiting.on('error', () => {});
  waiting.stdin.on('error', () => {});
  // Never ended here: the pipe closes with this process.
  waiting.stdin.write(JSON.stringify({ name, clone, state }));
  waiting.unref();
  (waiting.stdin as Socket).unref();
  return () => waiting.kill('SIGKILL');
}
