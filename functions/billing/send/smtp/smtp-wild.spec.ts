import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Begun, SmtpConnection, SmtpUnavailable } from './smtp.js';

/** What a wild server does when a command or the dot has come: it says this, in one piece, and ends so. */
interface Act {
  text: string;
  ending: 'go on' | 'reset' | 'end';
}

/** How a wild server meets one connection: an act a step, whatever the step is. */
type Course = Act[];

const LIMITS = { handOverMs: 60, sendMs: 90, openMs: 200, tidyMs: 40 };
const RUNS = 250;
const GOOD = [
  '220 wild\r\n',
  '250-wild\r\n250 8BITMIME\r\n',
  '250 ok\r\n',
  '250 ok\r\n',
  '354 go\r\n',
  '250 queued\r\n',
];
const GOOD_AFTERWARDS = ['250 ok\r\n', '250 ok\r\n', '354 go\r\n', '250 queued\r\n'];
const WORDS = [
  ...['', '250 ok\r\n', '250-ok\r\n250 ok\r\n', '250 ok\r\n250 ok\r\n', '250-ok\r\n550 no\r\n', '550-no\r\n250 ok\r\n'],
  ...[
    '250 o',
    '25',
    '550 no',
    '\r\n',
    '\r\n\r\n250 ok\r\n',
    '451 busy\r\n',
    '550 no\r\n',
    '421 bye\r\n',
    '250 ok\r\n421 bye\r\n',
  ],
  ...['2\r\n', '2fine\r\n', '999 what\r\n', 'hello\r\n', '\0\xff\r\n', '250\r\n', '251-', '503 order\r\n503 order\r\n'],
];
const DATA_STEPS = new Set([4, 8]);

const act = fc.record({
  text: fc.constantFrom(...WORDS),
  ending: fc.constantFrom<Act['ending']>('go on', 'go on', 'go on', 'reset', 'end'),
});
/** Mostly good, so that the later steps are reached; what is said with a 354 is behind it. */
const courses = fc
  .tuple(fc.array(fc.tuple(fc.boolean(), fc.boolean(), act), { minLength: 14, maxLength: 14 }), fc.boolean())
  .map(
    ([acts, pipelining]): Course =>
      acts.map(([odd, odder, wild], step) => {
        const good = { text: [...GOOD, ...GOOD_AFTERWARDS][step] ?? '250 ok\r\n', ending: 'go on' as const };
        if (step === 1 && pipelining) good.text = '250-wild\r\n250 PIPELINING\r\n';
        if (!odd || !odder) return good;
        return DATA_STEPS.has(step) && wild.text.length % 2 === 0 ? { ...wild, text: `354 go\r\n${wild.text}` } : wild;
      }),
  );

let server: Server;
let course: Course = [];
/** What the server has heard and said, in order: `dot <n>` of the n-th mail, and each line that it wrote whole. */
let log: string[] = [];

beforeAll(async () => {
  server = createServer(live).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
});

/** Counts the steps by commands and dots, and looks for a dot behind a body only, as it has said 354 or not. */
function live(socket: Socket): void {
  let step = 0;
  let heard = '';
  let inBody = false;
  socket.on('error', () => {});
  const next = (): void => {
    const { text, ending } = course[step++] ?? { text: '', ending: 'reset' };
    log.push(...text.split('\r\n').slice(0, -1));
    inBody = text.startsWith('354');
    if (text !== '') socket.write(Buffer.from(text, 'latin1'));
    if (ending === 'reset') socket.resetAndDestroy();
    if (ending === 'end') socket.end();
  };
  next();
  socket.on('data', (piece) => {
    heard += piece.toString('latin1');
    for (;;) {
      // A client that has given a body has given its end with it or not; both are seen, whatever the server believes.
      const body = /^Message-ID: <(\d)>[\s\S]*?\r\n\.\r\n/.exec(heard);
      if (body) log.push(`dot ${body[1]}`);
      const end = body ? body[0].length : inBody || heard.startsWith('Message-ID') ? -1 : heard.indexOf('\r\n') + 2;
      if (end < 2 || socket.destroyed) return;
      heard = heard.slice(end);
      next();
    }
  });
}

/** What the server wrote after the dot of a mail; undefined: no dot came. */
function saidAfterDot(number: number): string[] | undefined {
  const at = log.indexOf(`dot ${number}`);
  return at < 0 ? undefined : log.slice(at + 1);
}

test('whatever a server says and wherever it breaks off, nothing but a 2xx after the dot is sent', async () => {
  const seen = new Map<string, number>();
  const url = new URL(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const config = { url, from: 'a@b.example', connections: 1, perMinute: undefined };
  const check = async (wild: Course): Promise<void> => {
    course = wild;
    log = [];
    const connection = await SmtpConnection.open(config, LIMITS).catch((error: unknown) => error);
    if (!(connection instanceof SmtpConnection)) {
      expect(connection).toBeInstanceOf(SmtpUnavailable);
      return;
    }
    for (const number of [1, 2]) {
      const before = performance.now();
      const bytes = Buffer.from(`Message-ID: <${number}>\r\n\r\nhello\r\n`);
      const result = await connection.send({ from: config.from, to: 'c@d.example', bytes }, new Begun());
      expect(performance.now() - before).toBeLessThan(10_000);
      seen.set(result.result, (seen.get(result.result) ?? 0) + 1);
      const after = saidAfterDot(number);
      const wrote = (code: RegExp) => after?.some((line) => code.test(line)) === true;
      if (result.result === 'sent') expect(wrote(/^2\d\d/), JSON.stringify(log)).toBe(true);
      // The dot was seen, so only a refusal of the server can say that it was not sent.
      if (result.result === 'unsent') expect(after, JSON.stringify(log)).toBeUndefined();
      if (after && result.result === 'later') expect(wrote(/^4\d\d/), JSON.stringify([result, log])).toBe(true);
      if (after && result.result === 'refused') expect(wrote(/^5\d\d/), JSON.stringify([result, log])).toBe(true);
      if (result.result === 'unsent' || result.result === 'unknown') expect(connection.isOpen).toBe(false);
      if (!connection.isOpen) break;
    }
    connection.close();
  };
  await fc.assert(fc.asyncProperty(courses, check), { numRuns: RUNS });
  expect([...seen.keys()].sort()).toEqual(['later', 'refused', 'sent', 'unknown', 'unsent']);
});
