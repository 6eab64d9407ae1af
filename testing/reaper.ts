import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clone, State } from '../services/clone.js';
import type { ServiceName } from '../services/names.js';
import { ROOT } from './process.js';

const SERVICES = pathToFileURL(join(ROOT, 'dist/services/bring-up.js'));

/** Reads until whoever started it is gone, however that went. The build's own modules: this one is no TypeScript. */
const SCRIPT = `
  import { rmSync } from 'node:fs';
  import { text } from 'node:stream/consumers';
  const { name, clone, state } = JSON.parse(await text(process.stdin));
  const { SERVICES } = await import(${JSON.stringify(SERVICES.href)});
  await SERVICES.find((service) => service.name === name).stop(clone, state);
  rmSync(clone.data, { recursive: true, force: true });
`;

/**
 * Has a service stopped and its data removed when this process ends without having done it: by Ctrl-C, for one, of which a
 * runner's worker gets no time to clean up. Returns how to call it off.
 */
export function reaper(name: ServiceName, clone: Clone, state: State): () => void {
  const args = ['--input-type=module', '--eval', SCRIPT];
  // In a session of its own: what ends the terminal's processes must not end it.
  const waiting = spawn(process.execPath, args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  waiting.on('error', () => {});
  waiting.stdin.on('error', () => {});
  // Never ended: the pipe closes with this process.
  waiting.stdin.write(JSON.stringify({ name, clone, state }));
  waiting.unref();
  (waiting.stdin as Socket).unref();
  return () => waiting.kill('SIGKILL');
}
