import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError, EXIT, readEnvironment } from '@disparo/contract';
import {
  type Clone,
  newState,
  openClone,
  readState,
  readUrls,
  type State,
  stateFiles,
  writeState,
  writeUrls,
} from './clone.js';
import { CommandError } from './command-error.js';
import { composeRemove, composeReset, composeStop, composeUp, daemonAnswers } from './compose.js';
import { enterUser, leaveUser, usersOf, withLock } from './lock.js';
import { mongodb } from './mongodb.js';
import type { Say, ServiceName, Variable } from './names.js';
import { freePort, isFree } from './ports.js';
import { postgres } from './postgres.js';
import { waitUntilReachable } from './probe.js';
import { rabbitmq } from './rabbitmq.js';
import type { Service } from './service.js';

/** All three services, in the order of the messages about them. */
export const SERVICES: readonly Service[] = [postgres, mongodb, rabbitmq];

/** A server that recovers from a crash listens before it accepts connections. */
const REACHABLE_MS = 10_000;

/** URLs of services that the command never uses. The app needs all three URLs, but connects only when it uses one. */
export const NOWHERE: Record<Variable, string> = {
  DATABASE_URL: 'postgresql://127.0.0.1:9/nowhere',
  MONGODB_URL: 'mongodb://127.0.0.1:9/nowhere',
  RABBITMQ_URL: 'amqp://127.0.0.1:9',
};

/** The services of one command. */
export interface Services {
  urls: Record<Variable, string>;
  /** The clone's own services. The others were given from outside: no command may stop them or use them freely. */
  own: ReadonlySet<Variable>;
  /** To be called at the end of the command: stops the services, unless another command uses them or they are to be kept. */
  release(say: Say): Promise<void>;
}

/**
 * Starts each service whose URL is not given by the environment or `.env`, and waits until it answers; with `needs` only
 * those that it names. With `keep` they stay up after this command. Throws CommandError, which says for each service that
 * could not be started how to provide it.
 */
export async function bringUp(
  root: string,
  say: Say,
  { keep, needs, env = process.env }: { keep: boolean; needs?: readonly Variable[]; env?: NodeJS.ProcessEnv },
): Promise<Services> {
  const clone = openClone(root);
  const given = givenUrls(clone, env);
  const used = SERVICES.filter(({ variable }) => needs?.includes(variable) ?? true);
  for (const { title, variable } of used) if (given[variable]) say(`${title}: ${variable} is set, used as it is`);
  const needed = used.filter(({ variable }) => !given[variable]);
  if (needed.length === 0) return { urls: { ...NOWHERE, ...given }, own: new Set(), release: async () => {} };

  const state = await withLock(clone, say, async () => {
    const state = readState(clone) ?? (await newState());
    if (keep) state.kept = true;
    else enterUser(clone);
    await startMissing(clone, state, needed, say);
    return state;
  });
  const urls = { ...NOWHERE, ...pick(urlsOf(state), needed), ...given };
  const own = new Set(needed.map((service) => service.variable));
  return { urls, own, release: (tell) => withLock(clone, tell, () => leave(clone, tell)) };
}

/** Stops the clone's services; their data, ports and passwords stay. */
export async function stopServices(root: string, say: Say): Promise<void> {
  const clone = openClone(root);
  await withLock(clone, say, () => stopAll(clone, say));
}

/** Stops the clone's services and removes their data. Throws CommandError while a command of ours uses them. */
export async function resetServices(root: string, say: Say): Promise<void> {
  const clone = openClone(root);
  const [user] = usersOf(clone);
  if (user !== undefined)
    throw new CommandError(`A reset erases data that is in use: first stop what runs in this clone (process ${user})`);
  await withLock(clone, say, async () => {
    const state = await stopAll(clone, say);
    if (state && usesCompose(state)) await composeReset(clone, state);
    for (const path of [...SERVICES.map(({ name }) => join(clone.data, name)), ...stateFiles(clone)])
      rmSync(path, { recursive: true, force: true });
    if (clone.data !== clone.local) rmSync(clone.data, { recursive: true, force: true });
  });
}

/** The URLs from the environment or `.env`. A URL that services.env has too is our own service, and not given. */
export function givenUrls(clone: Clone, env: NodeJS.ProcessEnv): Partial<Record<Variable, string>> {
  const configured = readEnvironment(env, clone.root);
  const written = readUrls(clone);
  const given = SERVICES.map(({ variable }) => [variable, configured[variable]] as const);
  return Object.fromEntries(given.filter(([variable, url]) => url !== undefined && url !== written[variable]));
}

function urlsOf(state: State): Record<Variable, string> {
  const entries = SERVICES.map((service) => [service.variable, service.url(state.password, state.ports[service.name])]);
  return Object.fromEntries(entries) as Record<Variable, string>;
}

async function startMissing(clone: Clone, state: State, needed: Service[], say: Say): Promise<void> {
  const running = await Promise.all(needed.map((service) => isRunning(service, state)));
  needed.forEach((service, index) => {
    if (running[index]) say(`${service.title}: running`);
  });
  const missing = needed.filter((_, index) => !running[index]);
  // Saved before anything starts, here and below: a killed command must not leave a service that no command knows of.
  for (const service of missing)
    if (state.ways[service.name] === 'binary') await service.clear?.(clone, state).catch(() => {});
  await movePorts(state, missing);
  save(clone, state, needed);
  const binaries = await throughCompose(clone, state, missing, say);
  const before = { ...state.ways };
  for (const { name } of binaries) state.ways[name] = 'binary';
  save(clone, state, needed);
  const results = await Promise.all(binaries.map((service) => startBinary(service, clone, state, say)));
  const failures = results.filter((line) => line !== undefined);
  if (failures.length === 0) return;
  await leave(clone, () => {});
  // A service that has never run as a binary may run in Docker next time.
  results.forEach((line, index) => {
    const name = binaries[index]?.name;
    if (line !== undefined && name && !before[name]) delete state.ways[name];
  });
  save(clone, state, needed);
  throw new CommandError(failures.join('\n'));
}

/**
 * Whether the clone's own service runs, by connecting: one that accepts this clone's password is this clone's. One that
 * listens but does not accept yet gets time to recover.
 */
export async function isRunning(service: Service, state: State): Promise<boolean> {
  const url = { [service.variable]: service.url(state.password, state.ports[service.name]) };
  const patience = (await isFree(state.ports[service.name])) ? 0 : REACHABLE_MS;
  try {
    return (await waitUntilReachable(url, () => {}, patience)) === true;
  } catch (error) {
    if (error instanceof ConfigurationError) return false;
    throw error;
  }
}

/** The ports of each service. Erlang ends with 0 and says nothing when one of its own two ports is taken. */
const PORTS_OF: Record<ServiceName, readonly (keyof State['ports'])[]> = {
  postgres: ['postgres'],
  mongodb: ['mongodb'],
  rabbitmq: ['rabbitmq', 'rabbitmqDistribution', 'epmd'],
};

/** Replaces each port that another program has taken since. */
async function movePorts(state: State, missing: Service[]): Promise<void> {
  const taken = new Set(Object.values(state.ports));
  for (const { name } of missing)
    for (const port of PORTS_OF[name])
      if (!(await isFree(state.ports[port]))) state.ports[port] = await freePort(taken);
}

/**
 * Starts services by docker compose, but none that has its data in a binary's folder. Returns those that are still missing:
 * all, where Docker does not bring them up healthy.
 */
async function throughCompose(clone: Clone, state: State, missing: Service[], say: Say): Promise<Service[]> {
  const fitting = missing.filter(({ name }) => state.ways[name] !== 'binary');
  if (fitting.length === 0 || !(await daemonAnswers())) return missing;
  const names = fitting.map(({ name }) => name);
  say(`Docker is running: docker compose up ${names.join(' ')} ...`);
  const healthy = await composeUp(clone, state, names);
  // Docker calls them healthy; what counts is whether we can connect.
  const urls = pick(urlsOf(state), fitting);
  const result = healthy === true ? await waitUntilReachable(urls, say, REACHABLE_MS).catch(messageOf) : healthy;
  if (result !== true) {
    await composeRemove(clone, state, names);
    say(`Docker cannot start them (${result}); starting programs on this machine instead`);
    return missing;
  }
  for (const { name, title } of fitting) {
    state.ways[name] = 'compose';
    say(`${title}: started by docker compose on port ${state.ports[name]}`);
  }
  return missing.filter((service) => !fitting.includes(service));
}

/** Starts one service as a binary. Returns undefined, or the lines to print when that failed. */
async function startBinary(service: Service, clone: Clone, state: State, say: Say): Promise<string | undefined> {
  const begun = Date.now();
  try {
    await service.start(clone, state, say);
    say(
      `${service.title}: started on port ${state.ports[service.name]} (${((Date.now() - begun) / 1000).toFixed(1)} s)`,
    );
    return undefined;
  } catch (error) {
    await service.stop(clone, state).catch(() => {});
    const ways = `a URL in .env (${service.variable}=...), a running Docker daemon with docker compose, or ${service.binary}`;
    return `${service.title} could not be started: ${(error as Error).message}\nProvide it in one of three ways: ${ways}.`;
  }
}

function messageOf(error: Error): string {
  return error.message;
}

function pick(urls: Record<Variable, string>, services: Service[]): Partial<Record<Variable, string>> {
  return Object.fromEntries(services.map(({ variable }) => [variable, urls[variable]]));
}

function save(clone: Clone, state: State, needed: Service[]): void {
  writeState(clone, state);
  writeUrls(clone, { ...readUrls(clone), ...pick(urlsOf(state), needed) });
}

/** Ends this process's use of the services; the caller holds the lock. The last user stops them, unless they are kept. */
export async function leave(clone: Clone, say: Say): Promise<void> {
  const inUse = leaveUser(clone);
  if (!inUse && !readState(clone)?.kept) await stopAll(clone, say);
}

async function stopAll(clone: Clone, say: Say): Promise<State | undefined> {
  const state = readState(clone);
  if (!state) return undefined;
  const known = SERVICES.filter(({ name }) => state.ways[name]);
  const free = await Promise.all(known.map(({ name }) => isFree(state.ports[name])));
  const running = known.filter((_, at) => !free[at]);
  const binaries = SERVICES.filter(({ name }) => state.ways[name] === 'binary');
  await Promise.all(binaries.map((service) => service.stop(clone, state)));
  // Without the Docker daemon no container runs.
  if (usesCompose(state) && (await daemonAnswers())) await composeStop(clone, state);
  for (const { name, title } of known)
    if (!(await isFree(state.ports[name])))
      throw new CommandError(
        `${title} could not be stopped: something still listens on port ${state.ports[name]}`,
        EXIT.bug,
      );
  writeState(clone, { ...state, kept: false });
  if (running.length > 0) say(`Stopped: ${running.map(({ title }) => title).join(', ')}`);
  return state;
}

function usesCompose(state: State): boolean {
  return Object.values(state.ways).includes('compose');
}
