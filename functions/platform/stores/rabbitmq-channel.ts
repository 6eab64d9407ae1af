import type { Socket } from 'node:net';
import { declareTopology, refusal } from '@disparo/contract';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import type { Config } from '../config.js';
import { withDeadline } from '../deadline.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** For declaring, once it is connected: a broker that takes a connection and then stays silent is as good as none. */
const OPEN_TIMEOUT_MS = 10_000;
/** The broker confirms or answers within this time, or counts as gone. */
export const ANSWER_TIMEOUT_MS = 10_000;

/** A connection and its confirm channel, on which the topology is declared. */
interface OpenChannel {
  connection: ChannelModel;
  channel: ConfirmChannel;
}

/** The broker did not put the message into a queue, or did not say so in time: the message is still owed. */
export class NotPublished extends Error {
  constructor(
    /** `refused`: waiting does not heal it, `text` says what was refused. */
    readonly reason: 'nacked' | 'returned' | 'timeout' | 'unreachable' | 'refused',
    readonly text: string,
    cause?: unknown,
  ) {
    super(`not published, ${reason}: ${text}`, { cause });
    this.name = 'NotPublished';
  }
}

/** Opens a connection and a channel. `heartbeatS` 0: no heartbeat. Rejects with NotPublished. */
export async function openChannel(config: Config, heartbeatS: number): Promise<OpenChannel> {
  return connectAndDeclare(config, heartbeatS).catch((error: unknown) => {
    throw notPublished(error);
  });
}

async function connectAndDeclare(config: Config, heartbeatS: number): Promise<OpenChannel> {
  const url = new URL(config.rabbitmqUrl);
  url.searchParams.set('heartbeat', String(heartbeatS));
  const connection = await connect(url.href, { noDelay: true, keepAlive: true, timeout: CONNECT_TIMEOUT_MS });
  // Without a listener an error event ends the process; the promises below reject all the same.
  connection.on('error', () => {});
  try {
    return { connection, channel: await within(OPEN_TIMEOUT_MS, declareChannel(connection, config)) };
  } catch (error) {
    destroy(connection);
    throw error;
  }
}

async function declareChannel(connection: ChannelModel, config: Config): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  await declareTopology(channel, config.queuePrefix, config.queuePartitions, config.queueType);
  return channel;
}

/** Ends channel and connection in order, or the socket when the broker does not answer. */
export async function closeChannel(open: OpenChannel): Promise<void> {
  await within(CONNECT_TIMEOUT_MS, closeInOrder(open)).catch(() => destroy(open.connection));
}

/** The channel first: the close of its connection may overtake an acknowledgement. */
async function closeInOrder({ connection, channel }: OpenChannel): Promise<void> {
  await channel.close();
  await connection.close();
}

/** Ends a connection in order, or its socket when the broker does not answer. */
export async function closeConnection(connection: ChannelModel): Promise<void> {
  // A connection that dies while it closes never settles close(): only this event tells.
  const gone = new Promise<void>((resolve) => connection.once('close', () => resolve()));
  const closed = Promise.race([gone, connection.close()]);
  await within(CONNECT_TIMEOUT_MS, closed).catch(() => destroy(connection));
}

/** Ends the socket without asking the broker, which may not answer. */
export function destroy(connection: ChannelModel): void {
  (connection.connection as unknown as { stream?: Socket }).stream?.destroy();
}

/** The broker's answer to one question. Rejects with NotPublished, also when the broker stays silent. */
export async function withAnswerTimeout<T>(question: Promise<T>): Promise<T> {
  return within(ANSWER_TIMEOUT_MS, question).catch((error: unknown) => {
    throw notPublished(error);
  });
}

/** An error of the broker as a NotPublished, which says why nothing was published. */
export function notPublished(error: unknown): NotPublished {
  const refused = refusal(error);
  if (refused) return new NotPublished('refused', refused, error);
  return new NotPublished('unreachable', error instanceof Error ? error.message : String(error), error);
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return withDeadline(ms, work, () => {
    throw new Error(`no answer within ${ms / 1_000} s`);
  });
}
