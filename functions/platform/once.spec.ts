import { ConfigurationError, EXIT } from '@disparo/contract';
import { MongoServerSelectionError } from 'mongodb';
import { afterEach, expect, test, vi } from 'vitest';
import { failure } from './once.js';
import { ServiceUnavailable } from './problem.js';
import { NotPublished } from './stores/rabbitmq-channel.js';

const mongo = new MongoServerSelectionError('no server', {} as never);
const broker = new NotPublished('unreachable', 'no answer within 10 s');

afterEach(() => {
  vi.restoreAllMocks();
});

test.each([
  ['PostgreSQL', new ServiceUnavailable('the database is away', new Error('x')), 'DATABASE_URL: the database is away'],
  ['MongoDB', mongo, 'MONGODB_URL: no server'],
  ['MongoDB, as a problem', new ServiceUnavailable('it is away', mongo), 'MONGODB_URL: it is away'],
  ['RabbitMQ', broker, 'RABBITMQ_URL: no answer within 10 s'],
  ['RabbitMQ, as a problem', new ServiceUnavailable('it is away', broker), 'RABBITMQ_URL: it is away'],
])('a failure of %s names the variable of that service', (_, error, line) => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(failure(error)).toBe(EXIT.forced);
  expect(written.mock.calls).toEqual([[`${line}\n`]]);
});

test('a wrong configuration and a bug have exit codes of their own', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(failure(new ConfigurationError('API_PORT', 'is in use'))).toBe(EXIT.configuration);
  expect(failure(new Error('a bug'))).toBe(EXIT.bug);
});
