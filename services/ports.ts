import { once } from 'node:events';
import { createServer } from 'node:net';
import { CommandError } from './command-error.js';

/** A port for everything that listens; chosen once for a clone. */
export interface Ports {
  postgres: number;
  mongodb: number;
  rabbitmq: number;
  /** For traffic between Erlang nodes; listens on loopback, even for a single node. */
  rabbitmqDistribution: number;
  /** For an Erlang port mapper of our own: stopping the shared one would affect other nodes of the machine. */
  epmd: number;
}

/** Below the ephemeral range of Linux (32768..), so that no outgoing connection takes a chosen port. */
const RANGE = { from: 20_000, size: 10_000 };
const ATTEMPTS = 200;

/** Ports on loopback on which nothing listens now, all different. */
export async function choosePorts(): Promise<Ports> {
  const taken = new Set<number>();
  const next = () => freePort(taken);
  return {
    postgres: await next(),
    mongodb: await next(),
    rabbitmq: await next(),
    rabbitmqDistribution: await next(),
    epmd: await next(),
  };
}

/** A port on loopback on which nothing listens now and that is not in `taken`, to which it is added. */
export async function freePort(taken: Set<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = RANGE.from + Math.floor(Math.random() * RANGE.size);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new CommandError(`no free port found between ${RANGE.from} and ${RANGE.from + RANGE.size}`);
}

/** Whether this machine lets us listen on the port now. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
