import { EXIT, integerKey, readEnvironment, textKey } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';
import { baseUrl } from '../supervise/offline.js';
import { runningApis } from '../supervise/running-api.js';

const HEALTH_TIMEOUT_MS = 10_000;
/** The ends of the addresses that `npm start` prints: all of them mean the same API. */
const PRINTED = /\/api(?:\/docs|\/health|\/openapi\.json)?$/;

/** What a command that needs a running API says where there is none: how to start it, and how to name it. */
interface Advice {
  start: string;
  command: string;
  /** The services that it needs, by their names in health; all, unless it says so. */
  needs?: readonly string[];
}

const POSTMAN: Advice = { start: 'npm start', command: 'npm run postman --' };

/** The base of an address, which may have `http://`, `/api` or a slash at the end. Throws CommandError. */
export function baseOf(given: string): string {
  const written = given.includes('://') ? given : `http://${given}`;
  const refused = new CommandError(`"${given}" is not an address like http://127.0.0.1:3000`);
  if (!URL.canParse(written)) throw refused;
  const { protocol, host, pathname } = new URL(written);
  if (!/^https?:$/.test(protocol)) throw refused;
  return `${protocol}//${host}${pathname.replace(/\/+$/, '').replace(PRINTED, '')}`;
}

/**
 * The base of a healthy API. It is the given one. Without one it is that of API_PORT in the environment, else the newest
 * healthy one that a command of this clone runs, else that of the configuration. Throws CommandError, which is one line, and
 * says how to start an API, or with `command` how to give another address.
 */
export async function healthyApi(
  given: string | undefined,
  running = runningApis(),
  { command, start, needs }: Advice = POSTMAN,
): Promise<string> {
  const bases = given === undefined ? candidates(running) : [baseOf(given)];
  const problems: string[] = [];
  for (const base of bases) {
    const problem = await problemOf(base, needs);
    if (problem === undefined) return base;
    problems.push(problem);
  }
  const other = running.find((base) => !bases.includes(base));
  const advice =
    other === undefined
      ? `: start the API with ${start}, or give its address: ${command} http://host:port`
      : `; one of this clone runs at ${other}: ${command} ${other}`;
  throw new CommandError(`${problems[0]}${advice}`, EXIT.bug);
}

function candidates(running: string[]): string[] {
  const environment = readEnvironment();
  const port = integerKey(environment, 'API_PORT');
  const configured = baseUrl(textKey(environment, 'API_HOST'), port || integerKey({}, 'API_PORT'));
  // Set for this call itself. API_PORT in .env may have been overruled for the command that runs the API.
  if (process.env.API_PORT && port !== 0) return [configured];
  return running.length > 0 ? running : [configured];
}

/** Undefined where the API answers that all services are up, or all that it `needs`; else the problem, as the beginning of a line. */
async function problemOf(base: string, needs: readonly string[] | undefined): Promise<string | undefined> {
  let status: number;
  let body: string;
  try {
    const response = await fetch(`${base}/api/health`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    status = response.status;
    body = await response.text();
  } catch {
    return `Nothing answers at ${base}`;
  }
  const health = parsed(body);
  if (health?.status === undefined) return `What answers at ${base} is not Disparo's API (${status} at /api/health)`;
  if (status === 200) return undefined;
  const down = Object.entries(health).filter(([name, state]) => name !== 'status' && state === 'down');
  if (needs && down.length > 0 && !down.some(([name]) => needs.includes(name))) return undefined;
  const names = down.map(([name]) => name).join(', ');
  return `The API at ${base} is not healthy (${status}${names && `, down: ${names}`})`;
}

/** The state of each service; undefined where the body is not that of Disparo's health. */
function parsed(body: string): Record<string, unknown> | undefined {
  try {
    const health = JSON.parse(body) as Record<string, unknown> | null;
    return health && 'postgres' in health ? health : undefined;
  } catch {
    return undefined;
  }
}
