import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT } from '@disparo/contract';
import { NOWHERE } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { freePort } from '../../../services/ports.js';
import type { Received } from '../../../testing/receiver.js';
import { migrated } from '../migrations.js';
import { baseUrl, checkedConfig, invokeFunction, offlineProcess, untilHealthy } from '../supervise/offline.js';
import { type Session, withServices } from '../supervise/session.js';
import { colour, say } from '../supervise/terminal.js';
import { Client } from './client.js';
import { type Attempt, type Outcome, reportAttempts, type SentEvent, wrongIn } from './event-report.js';
import { keepingLines } from './kept-lines.js';
import { ownTables } from './own-stores.js';
import { SignedReceiver, type SignedRequest } from './signed-receiver.js';

const HOST = '127.0.0.1';
const TYPE = 'order';
const SCHEMA = {
  type: 'object',
  required: ['order', 'total_cents'],
  properties: { order: { type: 'string' }, total_cents: { type: 'integer', minimum: 1 } },
};
const FIRST = { order: 'A-1', total_cents: 1_990 };
const MESSAGES = [FIRST, { order: 'A-2', total_cents: 4_500 }, { order: 'A-3', total_cents: 12_000 }];
/** How often the shaky endpoint fails to take the first one. */
const FAILURES = 2;
/** The second attempt is due after five seconds, all others are at once: the third one by a replay. */
const PATIENCE_MS = 60_000;
const INVOKE_EVERY_MS = 500;

/** What the demo works on: the API as its person, and the port of its functions. */
interface Stage {
  client: Client;
  lambda: number;
}

/** An endpoint of the company, and who receives there. */
interface Endpoint {
  id: string;
  receiver: SignedReceiver;
}

/**
 * `npm run demo -- --events`: three events go to two endpoints of this process, one of which fails twice before it takes the
 * first. Needs PostgreSQL alone. Returns the exit code: 0 when both have all three, and every signature was verified.
 */
export async function demoEvents(): Promise<number> {
  checkedConfig();
  const begun = performance.timeOrigin;
  say(colour('bold', 'Disparo: events go out as webhooks'));
  return withServices(say, { wait: true, needs: ['DATABASE_URL'] }, (session) => run(session, begun));
}

async function run(session: Session, begun: number): Promise<number> {
  const { supervisor, services, env } = session;
  const databaseUrl = await ownTables(services);
  await migrated(session, databaseUrl);
  return keepingLines(async (keep) => {
    const ports = { host: HOST, api: await freePort(), lambda: await freePort() };
    const own = { ...env, ...NOWHERE, DATABASE_URL: databaseUrl, API_HOST: HOST, API_PORT: String(ports.api) };
    say('Starting the API (serverless offline), which may call this machine: WEBHOOKS_ALLOW_PRIVATE=true');
    const api = offlineProcess(ports, { ...own, WEBHOOKS_ALLOW_PRIVATE: 'true' });
    supervisor.start({ ...api, line: keep('api') });
    const base = baseUrl(HOST, ports.api);
    await supervisor.during(untilHealthy(base, 'postgres'));
    await supervisor.during(show({ client: new Client(base), lambda: ports.lambda }));
    const seconds = (Date.now() - begun) / 1000;
    say(`\n${colour('green', 'Done')} in ${seconds.toFixed(1)} s, set-up included. Next: npm start`);
    return 0;
  });
}

/** Sends the events and shows how they arrive, from the log-in to the table of attempts. Throws CommandError. */
async function show(stage: Stage): Promise<void> {
  const { client } = stage;
  say(`Logged in as ${await client.enter()}, with a company of their own`);
  const fails = ({ body, turn }: Received) => body.includes(FIRST.order) && turn <= FAILURES;
  const steady = await endpoint(client, 'steady', 'takes all', () => false);
  const shaky = await endpoint(client, 'shaky', `fails ${FAILURES} times before it takes ${FIRST.order}`, fails);
  try {
    const events = await sendEvents(client);
    const first = events.find(({ message }) => message === FIRST)?.id ?? '';
    await untilAttempt(stage, shaky, first, FAILURES);
    await hurry(stage, shaky, first);
    await untilAttempt(stage, shaky, first, FAILURES + 1);
    const outcomes = [await outcomeOf(client, steady), await outcomeOf(client, shaky)];
    reportAttempts(outcomes);
    const wrong = wrongIn(outcomes, events, { [`shaky ${first}`]: FAILURES });
    if (wrong.length > 0) throw new CommandError(wrong.join('\n'), EXIT.bug);
  } finally {
    await Promise.all([steady, shaky].map(({ receiver }) => receiver.close()));
  }
}

/** A receiver, registered as an endpoint of the company. `does`: in words. `fails`: what it answers with 500. */
async function endpoint(
  client: Client,
  name: string,
  does: string,
  fails: (request: Received) => boolean,
): Promise<Endpoint> {
  const receiver = await SignedReceiver.open(name, fails, (request) => say(linesOf(name, request)));
  const made = { company_id: client.company, url: receiver.url };
  const { id, secret } = await client.call<{ id: string; secret: string }>('POST', '/api/events/endpoints', made);
  receiver.secret = secret;
  say(`Endpoint ${name}, which ${does}: ${receiver.url}`);
  return { id, receiver };
}

/** Registers a client and a type, and sends an event for each message with the client's key. */
async function sendEvents(client: Client): Promise<SentEvent[]> {
  const company_id = client.company;
  const client_id = `demo-${randomBytes(6).toString('hex')}`;
  const { api_key } = await client.call<{ api_key: string }>('POST', '/api/events/clients', { client_id, company_id });
  await client.call('POST', '/api/events/types', { company_id, name: TYPE, schema: SCHEMA });
  const events: SentEvent[] = [];
  for (const message of MESSAGES) {
    const event = { id: message.order, event_type: TYPE, client_id, message };
    const { id } = await client.call<{ id: string }>('POST', '/api/events', event, api_key);
    events.push({ id, message });
  }
  say(`POST /api/events: ${events.map(({ id, message }) => `${message.order} is ${id}`).join(', ')}\n`);
  return events;
}

/** Calls the function that sends, until the log has this attempt of the event. Throws CommandError. */
async function untilAttempt(
  { client, lambda }: Stage,
  { id }: Endpoint,
  event: string,
  attempt: number,
): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(INVOKE_EVERY_MS)) {
    await invokeFunction(lambda, 'webhooks');
    const attempts = await attemptsOf(client, id);
    if (attempts.some((each) => each.event_id === event && each.attempt === attempt)) return;
    if (Date.now() > deadline)
      throw new CommandError(`No attempt ${attempt} of ${event} after ${PATIENCE_MS / 1000} s`, EXIT.bug);
  }
}

/** Makes the next attempt due at once. Throws CommandError where it does not. */
async function hurry({ client }: Stage, { id, receiver }: Endpoint, event: string): Promise<void> {
  const { count } = await client.call<{ count: number }>('POST', `/api/events/${event}/deliveries/${id}/replay`);
  if (count !== 1) throw new CommandError(`The replay of ${event} made ${count} deliveries due, and not 1`, EXIT.bug);
  say(`${receiver.name} would have ${event} again in five minutes. The demo asks for a replay: it is due now`);
}

async function outcomeOf(client: Client, { id, receiver }: Endpoint): Promise<Outcome> {
  const { due, dead } = await client.call<Outcome>('GET', `/api/events/endpoints/${id}`);
  return { receiver, due, dead, attempts: await attemptsOf(client, id) };
}

async function attemptsOf(client: Client, id: string): Promise<Attempt[]> {
  return (await client.call<{ data: Attempt[] }>('GET', `/api/events/endpoints/${id}/attempts`)).data;
}

/** A request in a line; the first event's first one in full. */
function linesOf(name: string, { id, turn, status, verified, tamperProof, headers, body }: SignedRequest): string {
  const signature = verified ? 'signature verified' : 'signature WRONG';
  const changed = tamperProof ? 'with one byte changed it is refused' : 'NO CHANGE IS NOTICED';
  const line = `${name.padEnd(6)}  ${id}, attempt ${turn}: ${signature}, ${changed}; answered ${status}`;
  if (name !== 'shaky' || turn > 1 || !body.includes(FIRST.order)) return line;
  const signed = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((key) => `${key}: ${headers[key]}`);
  return [line, ...signed, body.toString()].join('\n          ');
}
