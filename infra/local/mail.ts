import { join, relative } from 'node:path';
import { readEnvironment } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { LOCAL_FROM, openCatcher } from '../../services/mail/server.js';
import { freePort } from '../../services/ports.js';
import { Interrupted, Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

/** Where mails are written, as under `npm start`. */
const FOLDER = join('.local', 'mail');

/**
 * `npm run mail`: the mail server of this machine alone, which writes each mail into a folder, until Ctrl-C. Prints the lines for
 * `.env`; with those it listens on the same port the next time. Returns the exit code.
 */
export default async function mail(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run mail');
  const environment = readEnvironment();
  const port = portOf(environment.SMTP_URL) ?? (await freePort());
  const supervisor = new Supervisor();
  const catcher = await openCatcher({ folder: join(process.cwd(), FOLDER), port, say });
  try {
    const folder = relative(process.cwd(), catcher.folder);
    say(`# Mails on this machine are not delivered, but written to ${folder}, until Ctrl-C. For .env:`);
    say(`SMTP_URL=${catcher.url}\nSMTP_FROM=${environment.SMTP_FROM ?? LOCAL_FROM}`);
    return await supervisor.during(new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return error.exitCode;
  } finally {
    await catcher.close();
    await supervisor.stop();
  }
}

/** The port of a server on loopback; undefined for any other: that one is not ours. */
function portOf(url: string | undefined): number | undefined {
  const { protocol, hostname, port } = new URL(url ?? 'smtp://nowhere');
  return protocol === 'smtp:' && hostname === '127.0.0.1' && port !== '' ? Number(port) : undefined;
}
