import { createSocket } from 'node:dgram';
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
  return {
    postgres: await freePort(),
    mongodb: await freePort(),
    rabbitmq: await freePort(),
    rabbitmqDistribution: await freePort(),
    epmd: await freePort(),
  };
}

/**
 * A port on loopback on which nothing listens now, that is not in `taken`, to which it is added, and that no process gets from
 * here while this one lives: a port that is to refuse for a while is not taken by another test in the meantime.
 */
export async function freePort(taken: Set<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = RANGE.from + Math.floor(Math.random() * RANGE.size);
    if (taken.has(port) || !(await claim(port))) continue;
    taken.add(port);
    return port;
  }
  throw new CommandError(`no free port found between ${RANGE.from} and ${RANGE.from + RANGE.size}`);
}

/**
 * Holds the UDP port of the same number until this process ends, in whichever way: its TCP port still refuses, and all who choose
 * a port ask here. Returns false where another process holds it, or where something listens on the TCP port.
 */
async function claim(port: number): Promise<boolean> {
  const socket = createSocket('udp4').unref();
  try {
    socket.bind({ port, address: '127.0.0.1', exclusive: true });
    await once(socket, 'listening');
  } catch {
    return false;
  }
  if (await isFree(port)) return true;
  socket.close();
  return false;
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
