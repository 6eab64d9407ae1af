import { CommandError } from '../../services/command-error.js';
import { freePort } from '../../services/ports.js';
import { migrated } from './migrations.js';
import { foregroundLine } from './supervise/log-line.js';
import { apiAddress, baseUrl, offlineProcess } from './supervise/offline.js';
import { announceApi } from './supervise/running-api.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/** `npm run api`: the functions alone, under serverless offline. Returns the exit code. */
export default async function api(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run api');
  const { host, port } = await apiAddress();
  return withServices(say, { wait: true }, async (session) => {
    const { supervisor, services, env } = session;
    await migrated(session, services.urls.DATABASE_URL);
    announceApi(baseUrl(host, port));
    const ports = { host, api: port, lambda: await freePort() };
    return supervisor.foreground({ ...offlineProcess(ports, env), ...foregroundLine() });
  });
}
