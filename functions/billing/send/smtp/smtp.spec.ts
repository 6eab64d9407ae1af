import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FaultySmtp, type SmtpFault, type SmtpStep } from '../../../../testing/smtp-faults.js';
import { untilTrue } from '../../../../testing/until.js';
import { Begun, type MailResult, SmtpConnection, type SmtpLimits } from './smtp.js';
import type { Reply } from './smtp-replies.js';
import { resultOf } from './smtp-result.js';

const FROM = 'cobranca@disparo.example';
const TO = 'maria.silva@example.com';
const LIMITS = { handOverMs: 20_000, sendMs: 30_000, openMs: 20_000, tidyMs: 5_000 };
/** For what ends by its own time. */
const SHORT = { handOverMs: 600, sendMs: 800, openMs: 600, tidyMs: 200 };
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'A large mail fills every buffer between two processes.\r\n');

let smtp: FaultySmtp;
let where: string;
const connections: SmtpConnection[] = [];

beforeEach(async () => {
  smtp = await FaultySmtp.listen();
  where = `127.0.0.1:${smtp.port}`;
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const each of connections.splice(0)) each.close();
  await smtp.close();
});

const mail = (bytes: Buffer = Buffer.from('Message-ID: <1@x>\r\n\r\nhello\r\n'), to = TO) => ({
  from: FROM,
  to,
  bytes,
});
const says = (at: SmtpStep, text: string, thenDrops = false): SmtpFault => ({ kind: 'says', at, text, thenDrops });
const drops = (at: SmtpStep, delivered = false): SmtpFault => ({ kind: 'drops', at, delivered });
const sent = (response = '250 2.0.0 queued'): MailResult => ({ result: 'sent', response });
const refused = (response: string): MailResult => ({ result: 'refused', response });
const later = (response: string): MailResult => ({ result: 'later', response });
const unsent = (reason: string): MailResult => ({ result: 'unsent', reason: `${where}: ${reason}` });
const unknown = (reason: string): MailResult => ({ result: 'unknown', reason: `${where}: ${reason}` });

async function connect(limits: Partial<SmtpLimits> = LIMITS, url = smtp.url): Promise<SmtpConnection> {
  const config = { url: new URL(url), from: FROM, connections: 1, perMinute: undefined };
  const connection = await SmtpConnection.open(config, limits);
  connections.push(connection);
  return connection;
}

/** What becomes of one mail that meets this fault, and whether the connection is open then. */
async function sendInto(
  fault: SmtpFault,
  limits?: Partial<SmtpLimits>,
  bytes?: Buffer,
): Promise<[MailResult, boolean]> {
  const connection = await connect(limits);
  smtp.script = () => fault;
  return [await connection.send(mail(bytes), new Begun()), connection.isOpen];
}

/** The wall clock jumps while the monotonic one stands still, as on a machine that sleeps. */
function sleepFor(ms: number): void {
  const now = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => now() + ms);
}

function gate(): { opens: Promise<void>; open: () => void } {
  let open = () => {};
  const opens = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opens, open };
}

test.each<[string, SmtpFault, MailResult]>([
  ['250 after the dot is sent', { kind: 'ok' }, sent()],
  ['its last code counts, and its lines are one text', says('dot', '250-2.0.0\r\n250 ok'), sent('250-2.0.0 250 ok')],
  ['451 after the dot is later', says('dot', '451 4.3.0 busy'), later('451 4.3.0 busy')],
  ['550 after the dot is refused', says('dot', '550 5.7.1 spam'), refused('550 5.7.1 spam')],
  ['450 to RCPT is later', says('rcpt', '450 4.2.1 slow'), later('450 4.2.1 slow')],
  ['550 to RCPT is refused', says('rcpt', '550 5.1.1 nobody'), refused('550 5.1.1 nobody')],
  ['530 to RCPT is later: it is we who are refused', says('rcpt', '530 5.7.0 log in'), later('530 5.7.0 log in')],
  ['451 to DATA is later', says('data', '451 4.3.0 full'), later('451 4.3.0 full')],
  ['554 to DATA is later', says('data', '554 5.5.1 no'), later('554 5.5.1 no')],
])('%s, and the connection goes on', async (_, fault, result) => {
  const connection = await connect();
  smtp.script = ({ number }) => (number === 1 ? fault : undefined);
  expect(await connection.send(mail(), new Begun())).toEqual(result);
  expect(await connection.send(mail(), new Begun())).toEqual(sent());
  expect(smtp.connections).toBe(1);
});

test.each<[string, SmtpFault, () => MailResult]>([
  ['450 to MAIL FROM is nobody’s', says('mail', '450 no'), () => unsent('MAIL FROM is answered with: 450 no')],
  ['550 to MAIL FROM is nobody’s', says('mail', '550 no'), () => unsent('MAIL FROM is answered with: 550 no')],
  ['421 to MAIL FROM is nobody’s', says('mail', '421 bye'), () => unsent('MAIL FROM is answered with: 421 bye')],
  [
    'a drop at MAIL FROM is nobody’s',
    drops('mail'),
    () => unsent('the connection was lost (ECONNRESET), before an answer to MAIL FROM'),
  ],
  ['421 to RCPT is later', says('rcpt', '421 4.3.2 bye'), () => later('421 4.3.2 bye')],
  [
    'a drop at RCPT is later',
    drops('rcpt'),
    () => later('the connection was lost (ECONNRESET), before an answer to RCPT TO'),
  ],
  [
    'a drop at DATA is later',
    drops('data'),
    () => later('the connection was lost (ECONNRESET), before an answer to DATA'),
  ],
  ['421 to DATA is later', says('data', '421 4.3.2 bye'), () => later('421 4.3.2 bye')],
  ['250 to DATA is later', says('data', '250 ok'), () => later('DATA is answered with: 250 ok')],
  ['421 after the dot is later', says('dot', '421 4.3.2 bye'), () => later('421 4.3.2 bye')],
  [
    'a drop after the dot, delivered, is unknown',
    drops('dot', true),
    () => unknown('the connection was lost (ECONNRESET), after the end of the mail'),
  ],
  [
    'a drop after the dot, not delivered, is unknown',
    drops('dot', false),
    () => unknown('the connection was lost (ECONNRESET), after the end of the mail'),
  ],
  [
    'half of a 250 is unknown',
    says('dot', '250 2.0.0 que\0', true),
    () => unknown('the connection was lost (ECONNECTION), after the end of the mail'),
  ],
  [
    'half of a 550 is unknown',
    says('dot', '550 5.7.1 sp\0', true),
    () => unknown('the connection was lost (ECONNECTION), after the end of the mail'),
  ],
  [
    'a reply whose lines disagree is unknown',
    says('dot', '250-ok\r\n550 no'),
    () => unknown('the end of the mail is answered with: 250-ok 550 no'),
  ],
  [
    '354 after the dot is unknown',
    says('dot', '354 go'),
    () => unknown('the end of the mail is answered with: 354 go'),
  ],
  [
    'words after the dot are unknown',
    says('dot', '2fine'),
    () => unknown('the end of the mail is answered with: 2fine'),
  ],
])('%s, and the connection is closed', async (_, fault, result) => {
  expect(await sendInto(fault)).toEqual([result(), false]);
});

test.each<[string, SmtpFault, () => MailResult]>([
  [
    'at MAIL FROM is nobody’s',
    { kind: 'silent', at: 'mail' },
    () => unsent('no answer in 0.6 s, before an answer to MAIL FROM'),
  ],
  ['at RCPT is later', { kind: 'silent', at: 'rcpt' }, () => later('no answer in 0.6 s, before an answer to RCPT TO')],
  ['at DATA is later', { kind: 'silent', at: 'data' }, () => later('no answer in 0.6 s, before an answer to DATA')],
  [
    'after the dot is unknown',
    { kind: 'silent', at: 'dot' },
    () => unknown('no answer within 0.8 s, after the end of the mail'),
  ],
  [
    'for a body that it has room for is unknown',
    { kind: 'stallsAfter354' },
    () => unknown('no answer within 0.8 s, after the end of the mail'),
  ],
  [
    'that speaks too late after the dot is unknown',
    { kind: 'ok', afterMs: 5_000 },
    () => unknown('no answer within 0.8 s, after the end of the mail'),
  ],
])('a server that is silent %s', async (_, fault, result) => {
  expect(await sendInto(fault, SHORT)).toEqual([result(), false]);
});

test('a server that reads no byte of a large body is later, and never sees a dot', async () => {
  const [result] = await sendInto({ kind: 'stallsAfter354' }, SHORT, LARGE);
  expect(result).toEqual(later('no answer within 0.8 s, before the end of the mail'));
  smtp.release();
  await untilTrue(
    () => smtp.open === 0,
    () => 'the server sees the end',
  );
  expect([smtp.dots, smtp.delivered]).toEqual([0, []]);
});

test('a drop in the middle of the body is later', async () => {
  const [result] = await sendInto({ kind: 'dropsInBody', afterBytes: 50_000 }, LIMITS, LARGE);
  expect(result).toMatchObject({ result: 'later', response: expect.stringMatching(/, before the end of the mail$/) });
  expect(smtp.dots).toBe(0);
});

test.each(['250 2.0.0 queued', '552 5.3.4 too large', '421 4.3.2 bye', 'nonsense'])(
  'an answer before the end of the mail is later, and no dot follows: %s',
  async (text) => {
    for (const [afterBytes, bytes] of [
      [0, undefined],
      [50_000, LARGE],
    ] as const) {
      const [result, isOpen] = await sendInto({ kind: 'saysInBody', afterBytes, text }, LIMITS, bytes);
      expect([result, isOpen]).toEqual([later(`answered before the end of the mail with: ${text}`), false]);
    }
    await untilTrue(
      () => smtp.open === 0,
      () => 'the server sees the end',
    );
    expect([smtp.dots, smtp.delivered]).toEqual([0, []]);
  },
);

test('half an answer before the end of the mail is later, whatever its other half says', async () => {
  const [result, isOpen] = await sendInto({ kind: 'saysInBody', afterBytes: 0, text: '250 hal\0' });
  expect([result, isOpen]).toEqual([later('the server is out of step, before the end of the mail'), false]);
  expect(smtp.delivered).toEqual([]);
});

test('once the dot may be on its way, only the answer to it counts', () => {
  const odd = { code: undefined, text: '2fine' };
  const [ok, go, taken] = [250, 354, 250].map((code) => ({ code, text: `${code}` }));
  const course = { handedOver: true, dotHadLeft: true, why: 'lost', ours: true };
  const of = (...replies: (Reply | undefined)[]) =>
    resultOf({ ...course, replies: replies.filter((each) => each !== undefined) });
  expect(of(odd, ok, go, taken)).toEqual(sent('250'));
  expect(of(odd, odd, go)).toEqual({ result: 'unknown', reason: 'lost, after the end of the mail' });
  expect(of()).toEqual({ result: 'unknown', reason: 'lost, after the end of the mail' });
});

test('a reply too many before the mail never makes it sent', async () => {
  smtp.script = ({ number }, step) => {
    if (step === 'rcpt' && number === 1) return says('rcpt', '550 5.1.1 nobody');
    return step === 'rset' ? says('rset', '250 ok\r\n250 and ok\r\n250 and ok') : undefined;
  };
  const connection = await connect();
  expect(await connection.send(mail(), new Begun())).toEqual(refused('550 5.1.1 nobody'));
  expect(await connection.send(mail(), new Begun())).not.toMatchObject({ result: 'sent' });
  expect([connection.isOpen, smtp.delivered]).toEqual([false, []]);
});

test('with pipelining a recipient who is refused is refused, and gets nothing', async () => {
  smtp.extensions = ['PIPELINING'];
  smtp.script = ({ number }) => (number === 1 ? says('rcpt', '550 5.1.1 nobody') : undefined);
  const connection = await connect();
  expect(await connection.send(mail(), new Begun())).toEqual(refused('550 5.1.1 nobody'));
  expect(await connection.send(mail(), new Begun())).toEqual(sent());
  expect(smtp.delivered.map(({ recipient }) => recipient)).toEqual([TO]);
});

test('a process that stood still before the first byte sends none', async () => {
  const { opens, open } = gate();
  const connection = await connect();
  smtp.script = () => ({ kind: 'ok', at: 'data', until: opens });
  const sending = connection.send(mail(), new Begun());
  await untilTrue(
    () => smtp.commands.includes('DATA'),
    () => 'the server is asked for DATA',
  );
  sleepFor(LIMITS.handOverMs + 1);
  open();
  expect(await sending).toEqual({ ...unsent('this process stood still for over 20 s'), ours: true });
  await untilTrue(
    () => smtp.open === 0,
    () => 'the server sees the end',
  );
  expect([connection.isOpen, smtp.delivered, smtp.dots]).toEqual([false, [], 0]);
});

test('a process that stood still in the body sends no end', async () => {
  smtp.hold();
  const connection = await connect();
  const sending = connection.send(mail(LARGE), new Begun());
  await smtp.untilInBody(1);
  sleepFor(LIMITS.sendMs + 1);
  smtp.release();
  expect(await sending).toEqual(later('not done within 30 s, before the end of the mail'));
  await untilTrue(
    () => smtp.open === 0,
    () => 'the server sees the end',
  );
  expect([connection.isOpen, smtp.delivered, smtp.dots]).toEqual([false, [], 0]);
});

test('a mail that we cut off before its end was not sent, and it costs it nothing', async () => {
  smtp.hold();
  const connection = await connect();
  const sending = connection.send(mail(LARGE), new Begun());
  await smtp.untilInBody(1);
  connection.close();
  smtp.release();
  expect(await sending).toEqual({ ...unsent('the connection was closed'), ours: true });
  await untilTrue(
    () => smtp.open === 0,
    () => 'the server sees the end',
  );
  expect([smtp.delivered, smtp.dots]).toEqual([[], 0]);
});

test('a mail that was begun too long ago is not even mentioned', async () => {
  const connection = await connect();
  const begun = new Begun();
  sleepFor(LIMITS.handOverMs + 1);
  expect(await connection.send(mail(), begun)).toMatchObject({ result: 'unsent', ours: true });
  expect(smtp.commands).toEqual([expect.stringMatching(/^EHLO /)]);
});

test('the bytes arrive as they are, dots, 8 bits and line ends', async () => {
  const connection = await connect();
  const lines = ['Message-ID: <dots@x>', '', '.', '..', '.a', 'ação', 'b.', '.'];
  expect(await connection.send(mail(Buffer.from(lines.join('\n'))), new Begun())).toEqual(sent());
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n`);
  expect(smtp.delivered).toEqual([{ messageId: '<dots@x>', recipient: TO, bytes }]);
  expect(smtp.commands).toContain(`MAIL FROM:<${FROM}> BODY=8BITMIME`);
});

test('a response is kept without control characters and to 500 characters', async () => {
  const [result] = await sendInto(says('dot', `550 a\u0000b\u001b[31m\tc ${'é'.repeat(600)}`));
  expect(result).toEqual(refused(`550 a b [31m c ${'é'.repeat(600)}`.slice(0, 500)));
});

test('what is logged does not name the debtor', async () => {
  smtp.extensions = ['PIPELINING'];
  const [result] = await sendInto(says('dot', `999 <${TO.toUpperCase()}> maria.silva is away`));
  expect(result).toEqual(unknown('the end of the mail is answered with: 999 <<address>> <address> is away'));
});

test.each(['a@b.example>\r\nRCPT TO:<c@d.example', 'a b@c.example', ''])(
  'what is no address becomes no command: %j',
  async (to) => {
    const connection = await connect();
    expect(await connection.send(mail(undefined, to), new Begun())).toEqual(later('not sent: its address is none'));
    expect(await connection.send(mail(), new Begun())).toEqual(sent());
    expect(smtp.delivered.map(({ recipient }) => recipient)).toEqual([TO]);
  },
);

test('a connection that the server has dropped is not open, and sends nothing', async () => {
  const connection = await connect();
  const { port } = smtp;
  await smtp.close();
  await untilTrue(
    () => !connection.isOpen,
    () => 'the end is seen',
  );
  expect(await connection.send(mail(), new Begun())).toEqual(
    unsent('the connection was lost, before an answer to MAIL FROM'),
  );
  smtp = await FaultySmtp.listen(undefined, port);
});

test('close ends a mail that is under way, and what it ends is told', async () => {
  smtp.script = () => ({ kind: 'silent', at: 'dot' });
  const connection = await connect();
  const sending = connection.send(mail(), new Begun());
  await untilTrue(
    () => smtp.dots === 1,
    () => 'the dot has come',
  );
  expect(await connection.send(mail(), new Begun())).toEqual(unsent('the connection is sending another mail'));
  connection.close();
  expect(await sending).toEqual(unknown('the connection was closed, after the end of the mail'));
});

test('close says QUIT, and does not wait for an answer for ever', async () => {
  const connection = await connect();
  connection.close();
  await untilTrue(
    () => smtp.open === 0,
    () => 'the connection ends',
  );
  expect(smtp.commands.at(-1)).toBe('QUIT');
  const stuck = await connect(SHORT);
  smtp.script = () => ({ kind: 'silent', at: 'quit' });
  stuck.close();
  await untilTrue(
    () => !stuck.isOpen,
    () => 'it is closed',
  );
});
