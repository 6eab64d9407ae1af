import { describe, expect, test, vi } from 'vitest';
import { booleanKey, ConfigurationError, integerKey, sharedConfiguration, textKey } from './configuration.js';

const SOUND = {
  DATABASE_URL: 'postgresql://u:secret@h/d',
  MONGODB_URL: 'mongodb://u:secret@a:1,b:2/d',
  RABBITMQ_URL: 'amqps://u:secret@h/v',
};

/** The table of keys has no boolean without a default: the tests have their own rows. */
vi.mock(import('./contract-file.js'), async (original) => {
  const { contractText, contractJson } = await original();
  const own = { Tests: { SWITCH: { kind: 'boolean', default: true }, SWITCH_UNSET: { kind: 'boolean' } } };
  const read = <T>(name: string): T => ({ ...contractJson<T>(name), ...(name === 'keys.json' && own) });
  return { contractText, contractJson: read };
});

test('defaults fill what is unset', () => {
  expect(sharedConfiguration(SOUND)).toEqual({
    databaseUrl: SOUND.DATABASE_URL,
    mongodbUrl: SOUND.MONGODB_URL,
    rabbitmqUrl: SOUND.RABBITMQ_URL,
    queuePrefix: 'disparo',
    queuePartitions: 1,
    queueType: undefined,
    logLevel: 'info',
  });
});

test('a key without a row, or without a default where it is unset, is a bug', () => {
  expect(caught(() => integerKey({}, 'NO_SUCH_KEY')).message).toBe('keys.json has no integer NO_SUCH_KEY');
  expect(caught(() => textKey({}, 'PREFETCH')).message).toBe('keys.json has no text PREFETCH');
  const unset = caught(() => integerKey({}, 'METRICS_PORT'));
  expect(unset.message).toBe('METRICS_PORT is not set, and keys.json has no default for it');
  expect(unset).not.toBeInstanceOf(ConfigurationError);
});

test('a boolean is true or false, in these letters only', () => {
  const read = (text?: string) => booleanKey(text === undefined ? {} : { SWITCH: text }, 'SWITCH');
  expect([read('true'), read('false'), read()]).toEqual([true, false, true]);
  for (const wrong of ['TRUE', 'yes', '1', ' true', ''])
    expect(caught(() => read(wrong))).toEqual(
      new ConfigurationError('SWITCH', `must be true or false, not "${wrong}"`),
    );
  expect(caught(() => booleanKey({}, 'SWITCH_UNSET'))).not.toBeInstanceOf(ConfigurationError);
});

describe('a wrong value is refused by its name and never shown when it may hold a secret', () => {
  const wrong: [string, Record<string, string | undefined>][] = [
    ['DATABASE_URL', { DATABASE_URL: undefined }],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://u:secret@h/d' }],
    ['DATABASE_URL', { DATABASE_URL: 'postgresql://u:secret@h:port/d' }],
    ['MONGODB_URL', { MONGODB_URL: 'u:secret@h' }],
    ['RABBITMQ_URL', { RABBITMQ_URL: 'http://u:secret@h' }],
    ['RABBITMQ_URL', { RABBITMQ_URL: 'amqp://u:se/cret@h' }],
    ['RABBITMQ_URL', { RABBITMQ_URL: 'amqp://u:se%cret@h' }],
    ['RABBITMQ_URL', { RABBITMQ_URL: 'amqp://u:a@secret#c@h' }],
    ['DATABASE_URL', { DATABASE_URL: 'postgresql://u:a@secret@h/d' }],
    ['DATABASE_URL', { DATABASE_URL: 'postgresql://u:12/secret@h/d' }],
    ['RABBITMQ_URL', { RABBITMQ_URL: 'amqp://u:secret@h ' }],
    ['MONGODB_URL', { MONGODB_URL: 'mongodb://u:secret@h/d\n' }],
    ['QUEUE_PREFIX', { QUEUE_PREFIX: 'a b' }],
    ['QUEUE_PARTITIONS', { QUEUE_PARTITIONS: '0' }],
    ['QUEUE_PARTITIONS', { QUEUE_PARTITIONS: '65' }],
    ['QUEUE_PARTITIONS', { QUEUE_PARTITIONS: '1.5' }],
    ['QUEUE_PARTITIONS', { QUEUE_PARTITIONS: 'two' }],
    ['QUEUE_TYPE', { QUEUE_TYPE: 'stream' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'loud' }],
  ];
  test.each(wrong)('%s in %j', (variable, change) => {
    const env = Object.fromEntries(Object.entries({ ...SOUND, ...change }).filter(([, value]) => value !== undefined));
    const error = caught(() => sharedConfiguration(env as Record<string, string>));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toMatch(new RegExp(`^${variable}: [^\n]+$`));
    expect(error.message).not.toContain('secret');
  });
});

function caught(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
