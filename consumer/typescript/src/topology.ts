import { declareTopology } from '@disparo/contract';
import type { ChannelModel } from 'amqplib';
import type { Config } from './config.js';

/** On a channel of its own, as a refusal closes it, with an `error` event beside the rejection that is thrown here. */
export async function declare(
  connection: ChannelModel,
  { queuePrefix, queuePartitions, queueType }: Config,
): Promise<void> {
  const declaring = await connection.createChannel();
  declaring.on('error', () => {});
  await declareTopology(declaring, queuePrefix, queuePartitions, queueType);
  await declaring.close();
}
