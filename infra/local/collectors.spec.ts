import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../../services/ports.js';
import { ApiStage } from '../../testing/api-stage.js';
import { Process, ROOT } from '../../testing/process.js';
import { FollowedStream, Tally } from './collectors/tally.js';
import collectors from './collectors.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** The command builds before it begins. */
const STARTED_MS = 60_000;

/** Runs the command to its end. */
async function ran(args: string[]): Promise<{ code: number | null; summary: unknown; everything: string }> {
  const command = started(args);
  const code = await command.exit(100_000);
  const line = command.output.find((each) => each.startsWith('{"received"')) ?? '{}';
  return { code, summary: JSON.parse(line), everything: command.everything };
}

function started(args: string[]): Process {
  const command = [process.execPath, 'infra/local/run.mjs', 'collectors', ...args] as const;
  return new Process('collectors', [...command], { env: process.env, cwd: ROOT });
}

const perSecond = expect.any(Number);

describe('on two processes', () => {
  let first: ApiStage;
  let second: ApiStage;
  const make = (ispb: string, number: number) => first.api('POST', `/api/util/msgs/${ispb}/${number}`);
  const urls = () => ['--url', first.url, '--url', second.url];

  beforeAll(async () => {
    first = await ApiStage.open();
    second = await first.beside({ API_PORT: String(await freePort()) });
  });

  afterAll(async () => {
    await second?.close();
    await first?.close();
  });

  test('each message comes once, with crashes and a killed process, and a seventh collector is told so', async () => {
    await make('32074986', 100);
    await make('00000001', 40);
    const [crashing, seven] = [
      ran(['--ispb', '32074986', '--crash', '0.1', ...urls()]),
      ran(['--ispb', '00000001', '--n', '7', '--url', first.url]),
    ];
    let made = 100;
    const more = async (number: number) => {
      await make('32074986', number);
      made += number;
    };
    // Each of the six has followed its stream before the kill: the batch of a start that dies with its server waits for a minute.
    const followed = `SELECT count(DISTINCT stream_id)::int AS n FROM pix_deliveries JOIN pix_messages ON id = message_id WHERE ispb = '32074986'`;
    const allFollow = async () => {
      const [{ n } = { n: 0 }] = await first.sql<{ n: number }>(followed);
      // One that came late finds something, too.
      if (n > 0 && n < 6) await more(6);
      return n === 6;
    };
    await first.until(allFollow, 'six streams are followed', STARTED_MS);
    await more(100);
    await second.kill();
    await more(100);
    await second.start();

    const { code, summary, everything } = await crashing;
    expect([code, everything]).toEqual([
      0,
      expect.stringContaining(`${made.toLocaleString('en')} messages, none in two streams`),
    ]);
    expect(summary).toMatchObject({ distinct: made, refused: 0, msg_per_s: perSecond });
    expect(
      await first.sql(`SELECT count(*)::int AS streams FROM pix_streams WHERE ispb = '32074986' AND closed_at IS NULL`),
    ).toEqual([{ streams: 0 }]);

    const { code: code7, summary: summary7, everything: everything7 } = await seven;
    expect([code7, everything7]).toEqual([
      0,
      expect.stringMatching(
        /Collector \d: six streams of 00000001 are open \(429\); one may be free in \d+ s \(Retry-After\)/,
      ),
    ]);
    expect(summary7).toEqual({ received: 40, distinct: 40, repeated: 0, crashes: 0, refused: 1, msg_per_s: perSecond });
    expect(await first.sql('SELECT count(*)::int AS delivered FROM pix_deliveries')).toEqual([
      { delivered: made + 40 },
    ]);
  });

  test('Ctrl-C ends each stream, and what was received stays so', async () => {
    await make('00000002', 3);
    const command = started(['--ispb', '00000002', '--n', '2', '--url', first.url]);
    const acknowledged = `SELECT count(*)::int AS n FROM pix_deliveries d JOIN pix_messages m ON m.id = d.message_id WHERE m.ispb = '00000002'`;
    await first.until(
      async () => (await first.sql<{ n: number }>(acknowledged))[0]?.n === 3,
      'all are acknowledged',
      STARTED_MS,
    );
    command.signal('SIGINT');
    expect(await command.exit()).toBe(0);
    expect(command.everything).toContain('"received":3,"distinct":3');
    // One whose start still waits has no token to end it with: it leaves, and its stream is closed for that.
    const left = `SELECT id FROM pix_streams WHERE ispb = '00000002' AND (closed_by IS NULL OR closed_by = 'expiry')`;
    await first.until(async () => (await first.sql(left)).length === 0, 'each stream is closed');
    expect(command.everything).toContain('stopped before the last one');
  });
});

describe('an API that does not do as it should', () => {
  let api: Server | undefined;
  afterEach(() => void api?.close());

  /** An API in one function, which is asked for streams. Returns its address. */
  async function apiThat(answer: (url: string, response: ServerResponse, number: number) => void): Promise<string> {
    let number = 0;
    api = createServer(({ url = '', method }, response) => {
      if (url === '/api/health') response.end('{"status":"up","postgres":"up"}');
      else if (method === 'DELETE') response.end('{}');
      else answer(url, response, ++number);
    }).listen(0, '127.0.0.1');
    await once(api, 'listening');
    return `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  }

  /** A message once for each stream, and then no more. */
  const onceAStream = (url: string, response: ServerResponse, number: number) => {
    response.setHeader('pull-next', `/api/pix/00000001/stream/${number}`);
    if (url.endsWith('/start')) response.end('{"endToEndId":"E1"}');
    else response.writeHead(204).end();
  };

  test('that hands out a message in two streams makes the command fail with 1', async () => {
    const url = await apiThat(onceAStream);
    expect(await ran(['--ispb', '00000001', '--n', '2', '--url', url])).toEqual({
      code: 1,
      summary: { received: 2, distinct: 1, repeated: 1, crashes: 0, refused: 0, msg_per_s: perSecond },
      everything: expect.stringContaining('E1 came again, and no collector had lost its place'),
    });
  });

  test('that lets nobody in ends it with 75, and one that wants a key with 1', async () => {
    const full = await apiThat((_, response) => response.writeHead(429, { 'retry-after': '17' }).end('{}'));
    expect(await ran(['--ispb', '00000001', '--n', '1', '--url', full])).toMatchObject({
      code: 75,
      everything: expect.stringContaining('one may be free in 17 s'),
    });
    const problem = '{"code":"PIX.KEY_MISSING","detail":"send a key"}';
    const closed = await apiThat((_, response) => response.writeHead(401).end(problem));
    expect(await ran(['--ispb', '00000001', '--n', '1', '--url', closed])).toMatchObject({
      code: 1,
      everything: expect.stringContaining('Collector 1: send a key (PIX.KEY_MISSING)'),
    });
  });

  test('that is not there is told in one line', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await expect(collectors(['--ispb', '00000001', '--url', url])).rejects.toThrow(
      `Nothing answers at ${url}: start the API with npm start in another terminal, or give its address: npm run collectors -- --ispb 00000001 --url http://host:port`,
    );
  });
});

describe('what came again', () => {
  const [one, other] = [new FollowedStream(), new FollowedStream()];
  const tally = new Tally();

  test('is right in the stream whose token was forgotten, once, and wrong in another', () => {
    tally.receive(['a', 'b'], one);
    one.forgotten = new Set(['a', 'b']);
    tally.receive(['a', 'b'], one);
    expect(tally.wrong).toEqual([]);
    tally.receive(['b'], one);
    expect(tally.wrong).toEqual(['b']);
    one.forgotten = new Set(['a']);
    tally.receive(['a'], other);
    expect(tally.wrong).toEqual(['b', 'a']);
    expect([tally.received, tally.distinct]).toEqual([6, 2]);
  });

  test('is right elsewhere once its stream is known to have expired', () => {
    one.returned = new Set(['a']);
    expect(tally.wrong).toEqual(['b']);
  });
});

test.each([
  [['--ispb', '1'], '--ispb must be eight digits, and not "1"'],
  [['--ispb', '32074986', '--n', '0'], '--n must be a whole number from 1 to 100, and not "0"'],
  [['--ispb', '32074986', '--crash', '1'], '--crash must be a number from 0 to 0.9, and not "1"'],
  [['--ispb', '32074986', '--form', 'xml'], '--form must be json or multipart, and not "xml"'],
])('%j is refused in one line', async (args, message) => {
  await expect(collectors(args)).rejects.toThrow(message);
});
