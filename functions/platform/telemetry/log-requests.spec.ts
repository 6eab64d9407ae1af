import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import type { Config } from '../config.js';
import { type Log, logRequests } from './log.js';
import { traceRequests } from './trace.js';

/** The levels of the lines about one answer of a quiet route and one of another, in an app of this level. */
async function levelsOf(atLevel: Config['logLevel']): Promise<string[]> {
  const lines: string[] = [];
  const at = (level: string) => () => void lines.push(level);
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const app = fastify();
  traceRequests(app);
  logRequests(app, log, atLevel);
  app.get('/quiet', { config: { quiet: true } }, async () => 'a');
  app.get('/other', async () => 'b');
  for (const url of ['/quiet', '/other']) expect((await app.inject(url)).statusCode).toBe(200);
  await app.close();
  return lines;
}

test.each<[Config['logLevel'], string[]]>([
  ['trace', ['debug', 'info']],
  ['debug', ['debug', 'info']],
  ['info', ['info']],
])('at %s a quiet route is told where lines of debug are', async (level, lines) => {
  expect(await levelsOf(level)).toEqual(lines);
});
