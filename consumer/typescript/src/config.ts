import {
  ConfigurationError,
  integerKey,
  readEnvironment,
  type SharedConfiguration,
  sharedConfiguration,
} from '@disparo/contract';

/** The configuration of this consumer, read once at the start. */
export interface Config extends SharedConfiguration {
  /** The partitions that this process takes. */
  partitions: readonly number[];
  /** Unacknowledged messages of one partition, at most. */
  prefetchEach: number;
  /** The port of health and metrics; undefined is off. */
  metricsPort: number | undefined;
}

/** Reads every key of `.env.example` that concerns a consumer. Throws ConfigurationError at the first that is wrong. */
export function readConfig(env = readEnvironment(process.env)): Config {
  const shared = sharedConfiguration(env);
  const partitions = partitionsKey(env.CONSUMER_PARTITIONS, shared.queuePartitions);
  const prefetch = integerKey(env, 'PREFETCH');
  return {
    ...shared,
    partitions,
    prefetchEach: Math.max(1, Math.floor(prefetch / partitions.length)),
    metricsPort: env.METRICS_PORT === undefined ? undefined : integerKey(env, 'METRICS_PORT'),
  };
}

function partitionsKey(text: string | undefined, count: number): number[] {
  if (text === undefined) return Array.from({ length: count }, (_, partition) => partition);
  const words = text.split(',').map((word) => word.trim());
  const partitions = words.map((word) => (/^\d{1,2}$/.test(word) ? Number(word) : count));
  if (partitions.some((partition) => partition >= count) || new Set(partitions).size !== partitions.length)
    throw new ConfigurationError(
      'CONSUMER_PARTITIONS',
      `must be different whole numbers from 0 to ${count - 1} (QUEUE_PARTITIONS is ${count}), separated by commas`,
    );
  return partitions;
}
