import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '@disparo/contract';
import type { Command } from './platform/command.js';

/** `node dist/bundle/command.js <name> [arguments]`: what `npm run <name>` runs. It starts no service itself. */
const [name = '', ...args] = process.argv.slice(2);
const names = readdirSync(new URL('commands/', import.meta.url))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -3));
if (!names.includes(name)) refuse(`node ${relative('', fileURLToPath(import.meta.url))} ${names.join(' | ')}`);
const { default: command } = (await import(`./commands/${name}.js`)) as { default: Command<unknown> };
const task = command.task(args) ?? refuse(command.usage);
// Loaded only now: the app takes seconds, and a wrong argument is told at once.
const [{ createApp }, { loadConfig }, { runOnce }] = await Promise.all([
  import('./app.js'),
  import('./platform/config.js'),
  import('./platform/once.js'),
]);
await runOnce(
  async (runtime) => {
    const config = loadConfig();
    return createApp(command.logs ? config : { ...config, logLevel: 'silent' }, runtime);
  },
  (app, stop) => command.work(app, task, stop),
);

function refuse(usage: string): never {
  process.stderr.write(`usage: ${usage}\n`);
  process.exit(EXIT.configuration);
}
