import { Body, Controller, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication, RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyContextConfig } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Config } from '../config.js';
import { Problem } from '../problem.js';
import { Postgres } from '../stores/postgres.js';
import { logRequests } from '../telemetry/log.js';
import { BODY_LIMIT, takeOnlyJson } from './body.js';
import { lambdaServer } from './lambda.js';
import { ProblemFilter } from './problem.filter.js';
import { validationPipe } from './validation.js';

const LIMIT = 4 * BODY_LIMIT;
const JSON_TYPE = { 'content-type': 'application/json' };
/** Nothing listens on the port for discarding. */
const nowhere = new Postgres({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/x' } as Config);

const order = z.strictObject({ text: z.string().optional(), end: z.enum(['bug', 'away', 'busy']).optional() });
type Order = z.infer<typeof order>;

async function take({ end }: Order): Promise<{ taken: true }> {
  if (end === 'bug') throw new Error('a secret of this bug');
  if (end === 'away') await nowhere.query('SELECT 1');
  if (end === 'busy') throw new Problem(503, 'ORDER.BUSY', 'too much is waiting', undefined, { 'retry-after': '7' });
  return { taken: true };
}

class Orders {
  order(body: Order) {
    return take(body);
  }

  plain(body: Order) {
    return take(body);
  }
}

const OWN: FastifyContextConfig = {
  bodyLimit: LIMIT,
  tooLarge: () => new Problem(413, 'ORDER.TOO_LARGE', 'the order is too long'),
  beside: ({ status, code }) => ({ message: `${status} by ${code}` }),
  quiet: true,
};
// Written out, since the test runner does not compile the decorators of a spec.
Controller()(Orders);
Post('order')(Orders.prototype, 'order', { value: Orders.prototype.order });
RouteConfig(OWN)(Orders.prototype, 'order', { value: Orders.prototype.order });
Post('plain')(Orders.prototype, 'plain', { value: Orders.prototype.plain });
for (const route of ['order', 'plain']) Body({ schema: order })(Orders.prototype, route, 0);

class Orderly {}

interface Sent {
  status: number;
  body: Record<string, unknown>;
}
type Send = (path: string, body: string, headers?: Record<string, string>) => Promise<Sent>;

let app: NestFastifyApplication;
let lines: { level: string; status: unknown }[];

beforeAll(async () => {
  const line = (level: string) => (fields: { status?: unknown }, sentence: string) => {
    if (sentence === 'answered') lines.push({ level, status: fields.status });
  };
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const adapter = new FastifyAdapter({ bodyLimit: BODY_LIMIT, multipart: true });
  app = await NestFactory.create<NestFastifyApplication>({ module: Orderly, controllers: [Orders] }, adapter, {
    logger: false,
    bodyParser: false,
  });
  logRequests(adapter.getInstance(), log, 'debug');
  takeOnlyJson(adapter);
  app.useGlobalFilters(new ProblemFilter(log));
  app.useGlobalPipes(validationPipe());
  await app.listen(0, '127.0.0.1');
});

beforeEach(() => {
  lines = [];
});

afterAll(async () => {
  await app?.close();
  await nowhere.close();
});

const overHttp: Send = async (path, body, headers = JSON_TYPE) => {
  const answer = await fetch(`${await app.getUrl()}${path}`, { method: 'POST', headers, body });
  return { status: answer.status, body: (await answer.json()) as Sent['body'] };
};

const asAFunction: Send = async (path, body, headers = JSON_TYPE) => {
  const http = { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' };
  const event = { version: '2.0', rawPath: path, rawQueryString: '', headers, body, requestContext: { http } };
  const answer = await (await lambdaServer(app))(event as never, {} as never);
  return { status: answer.statusCode ?? 0, body: JSON.parse(answer.body ?? '') as Sent['body'] };
};

describe.each([
  ['over HTTP', overHttp],
  ['as a function', asAFunction],
])('what a route says of itself holds %s', (_, send) => {
  test.each<[what: string, body: string, headers: Record<string, string>, status: number, code: string]>([
    ['no JSON', '{"text":', JSON_TYPE, 400, 'VALIDATION'],
    ['no body', '', JSON_TYPE, 400, 'VALIDATION'],
    ['no object', '[1]', JSON_TYPE, 400, 'VALIDATION'],
    ['an unknown field', '{"colour":1}', JSON_TYPE, 400, 'VALIDATION'],
    ['a poisoned field', '{"__proto__":{"end":"bug"}}', JSON_TYPE, 400, 'VALIDATION'],
    ['no UTF-8', '{"text":"\ufffd"}', JSON_TYPE, 400, 'BODY.NOT_UTF8'],
    ['a form', '--x--\r\n', { 'content-type': 'multipart/form-data; boundary=x' }, 400, 'VALIDATION'],
    ['another type', 'text', { 'content-type': 'text/plain' }, 415, 'VALIDATION'],
    ['another coding', '{}', { ...JSON_TYPE, 'content-encoding': 'gzip' }, 415, 'VALIDATION'],
    ['a body over its limit', JSON.stringify({ text: 'x'.repeat(LIMIT) }), JSON_TYPE, 413, 'ORDER.TOO_LARGE'],
    ['a bug', '{"end":"bug"}', JSON_TYPE, 500, 'INTERNAL'],
    ['a store that is away', '{"end":"away"}', JSON_TYPE, 503, 'SERVICE_UNAVAILABLE'],
    ['its own refusal', '{"end":"busy"}', JSON_TYPE, 503, 'ORDER.BUSY'],
  ])('members next to those of the problem: %s', async (_what, body, headers, status, code) => {
    const { title, type, detail, ...answer } = (await send('/order', body, headers)).body;
    expect(answer).toMatchObject({ status, code, message: `${status} by ${code}` });
    expect([type, typeof title, typeof detail]).toEqual(['about:blank', 'string', 'string']);
    const plain = await send('/plain', body, headers);
    expect([plain.status, plain.body.message]).toEqual([status, undefined]);
  });

  test('its own limit of a body, and no other route has it', async () => {
    const long = JSON.stringify({ text: 'x'.repeat(2 * BODY_LIMIT) });
    const [own, plain] = [await send('/order', long), await send('/plain', long)];
    expect([own.status, plain.status, plain.body.code]).toEqual([201, 413, 'BODY.TOO_LARGE']);
  });

  test('quiet: its answers below 500, and each 503, are logged at debug', async () => {
    for (const path of ['/order', '/plain']) {
      for (const body of ['{}', '{', '{"end":"busy"}']) await send(path, body);
    }
    await expect
      .poll(() => lines)
      .toEqual([
        { level: 'debug', status: 201 },
        { level: 'debug', status: 400 },
        { level: 'debug', status: 503 },
        { level: 'info', status: 201 },
        { level: 'info', status: 400 },
        { level: 'info', status: 503 },
      ]);
  });
});
