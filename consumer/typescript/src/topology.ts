import { declareTopology } from '@disparo/contract';
import type { ChannelModel } from 'amqplib';
import type { Config } from './config.js';

/**
 * Declares on a channel of its own: a refusal closes that channel. The channel then also emits `error`, next to the
 * rejection that is thrown here.
 */
export async function declare(
  connection: ChannelModel,
  { queuePrefix, queuePartitions, queueType }: Config,
): Promise<void> {
  const declaring = await connection.createChannel();
  declaring.on('error', () => {});
  await declareTopology(declaring, queuePrefix, queuePartitions, queueType);
  await declaring.close();
}
