import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT } from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import { CommandError } from '../../services/command-error.js';
import { freePort } from '../../services/ports.js';
import { buildConsumers, CONSUMER_USAGE, consumerProcess, inWords, listed, parseConsumers } from './consumers.js';
import { demoBilling } from './demo/billing.js';
import { type Campaign, Client } from './demo/client.js';
import { demoEvents } from './demo/events.js';
import { type InputFile, inputFile, megabytes } from './demo/input-file.js';
import { keepingLines } from './demo/kept-lines.js';
import { ownStores, type Urls } from './demo/own-stores.js';
import { Progress } from './demo/progress.js';
import { report, reportFile } from './demo/report.js';
import { migrated } from './migrations.js';
import { requireBuildTools } from './suites.js';
import { appScript } from './supervise/app-command.js';
import { baseUrl, checkedConfig, invokeFunction, offlineProcess, untilHealthy } from './supervise/offline.js';
import { type Session, withServices } from './supervise/session.js';
import { colour, say } from './supervise/terminal.js';

const USAGE = `npm run demo [-- [${CONSUMER_USAGE}] [file] | -- --events | -- --billing [file | --rows=n]]`;
const SAMPLE = 'postman/numeros.txt';
/** The largest file that the API takes in a function. A larger one goes to the plain server. */
const FUNCTION_LIMIT_BYTES = 9 * 1024 * 1024;
const HOST = '127.0.0.1';
const POLL_MS = 100;
const STALL_MS = 60_000;
/** How often the demo calls the dispatch function, whose own schedule, once a minute, is slow for a person who watches. */
const DISPATCH_EVERY_MS = 2_000;

/**
 * `npm run demo [-- --consumer=rust,go] [-- file]`: sends a file of numbers through the API, the queue and a consumer of
 * each named language into the stores. `-- --events`: sends events to webhooks. `-- --billing`:
 * sends a file of debts, which become boletos. Returns the exit code.
 */
export default async function demo(args: string[]): Promise<number> {
  if (args.length === 1 && args[0] === '--events') return demoEvents();
  if (args[0] === '--billing') return demoBilling(args.slice(1), USAGE);
  const { languages, rest } = parseConsumers(args, USAGE);
  const file = await uploadOf(rest);
  checkedConfig();
  requireBuildTools(languages, (language) => `npm run demo -- --consumer=${language}`);
  // The start of the process, so that the time of an installation counts, too.
  const begun = performance.timeOrigin;
  say(colour('bold', `Disparo: ${file.name} becomes messages`));
  return withServices(say, { wait: true }, (session) => run(session, languages, file, begun));
}

async function run(
  session: Session,
  languages: readonly LanguageName[],
  file: InputFile,
  begun: number,
): Promise<number> {
  const { supervisor, services, env } = session;
  await buildConsumers(session, languages);
  const ownUrls = await ownStores(services);
  await migrated(session, ownUrls.DATABASE_URL);
  return keepingLines(async (keep) => {
    const ports = { host: HOST, api: await freePort(), lambda: await freePort() };
    const own = { ...env, ...ownUrls, API_HOST: HOST, API_PORT: String(ports.api) };
    const large = file.size > FUNCTION_LIMIT_BYTES;
    const api = large ? { name: 'server', args: appScript('server'), env: own } : offlineProcess(ports, own);
    const how = large ? 'plain server: the file is too large for a function' : 'serverless offline';
    say(`Starting ${listed([`the API (${how})`, ...languages.map(inWords)])}`);
    supervisor.start({ ...api, line: keep('api') });
    for (const language of languages) {
      const consumer = consumerProcess(language);
      // Always set: a consumer would take it from .env otherwise.
      const METRICS_PORT = String(await freePort());
      supervisor.start({ ...consumer, env: { ...own, METRICS_PORT }, line: keep(consumer.name) });
    }
    const base = baseUrl(HOST, ports.api);
    await supervisor.during(untilHealthy(base));
    const dispatch = large ? async () => {} : () => invokeFunction(ports.lambda, 'dispatch');
    await supervisor.during(campaign(new Client(base), file, ownUrls, dispatch));
    say(`\n${colour('green', 'Done')} in ${seconds(begun)}, set-up included. Next: npm start`);
    return 0;
  });
}

/** Shows one campaign from the log-in to the tables at the end. */
async function campaign(client: Client, file: InputFile, urls: Urls, dispatch: () => Promise<void>): Promise<void> {
  const email = await client.enter();
  say(`Logged in as ${email}, with a company of their own\n`);
  const begun = Date.now();
  const bar = new Progress('Uploading');
  const message = 'Olá! Esta é uma mensagem de demonstração.';
  const { campaign: accepted, counts } = await client
    .upload({ ...file, name: `Demo: ${file.name}`.slice(0, 200), message }, (bytes) =>
      bar.update(bytes / file.size, `${megabytes(bytes)} of ${megabytes(file.size)}`),
    )
    .finally(() => bar.end());
  await untilSent(client, accepted, dispatch);
  say(`${accepted.total.toLocaleString('en')} messages stored ${seconds(begun)} after the upload began`);
  await report(urls, accepted.id);
  reportFile(file.name, counts);
}

async function untilSent(client: Client, accepted: Campaign, dispatch: () => Promise<void>): Promise<void> {
  const bar = new Progress('Storing');
  let moved = Date.now();
  let dispatched = Date.now();
  try {
    for (let now = accepted, last = ''; ; now = await client.campaign(accepted.id)) {
      bar.update(
        now.stored / now.total,
        `${now.stored.toLocaleString('en')} of ${now.total.toLocaleString('en')}  ${now.status}`,
      );
      if (now.status === 'enviado') return;
      const state = `${now.status} ${now.published} ${now.stored}`;
      if (state !== last) moved = Date.now();
      last = state;
      if (Date.now() - moved > STALL_MS)
        throw new CommandError(`No progress for ${STALL_MS / 1000} s: ${state} of ${now.total}`, EXIT.bug);
      if (now.published < now.total && Date.now() - Math.max(moved, dispatched) > DISPATCH_EVERY_MS) {
        await dispatch();
        dispatched = Date.now();
      }
      await delay(POLL_MS);
    }
  } finally {
    bar.end();
  }
}

/** The file to upload. Throws CommandError. */
async function uploadOf(args: string[]): Promise<InputFile> {
  if (args.length > 1) throw new CommandError(`usage: ${USAGE}`);
  if (args[0] !== undefined) return inputFile(args[0]);
  return { ...(await inputFile(resolve(SAMPLE))), name: SAMPLE };
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
