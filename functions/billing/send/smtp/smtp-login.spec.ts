import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FaultySmtp, type SmtpStep } from '../../../../testing/smtp-faults.js';
import { Begun, SmtpConnection, SmtpUnavailable } from './smtp.js';
import { serverOf } from './smtp-open.js';

const PASSWORD = 'pass/w@rd: é';
const USER = 'sender@disparo.example';
const LOGIN = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}@`;
const LIMITS = { openMs: 20_000 };
const folder = mkdtempSync(join(tmpdir(), 'disparo-smtp-'));
const open: { close(): unknown }[] = [];
let certificate: string;
let key: string;

beforeAll(() => {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  });
  certificate = readFileSync(join(folder, 'cert.pem'), 'utf8');
  key = readFileSync(join(folder, 'key.pem'), 'utf8');
});

afterAll(() => rmSync(folder, { recursive: true }));

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A server of another hand, with TLS and a login. */
async function serve(options: SMTPServerOptions, host = '127.0.0.1'): Promise<{ port: number; logins: unknown[] }> {
  const logins: unknown[] = [];
  const server = new SMTPServer({
    key,
    cert: certificate,
    authOptional: true,
    onAuth: ({ method, username, password }, session, done) => {
      logins.push({ method, username, password, secure: session.secure });
      if (username === USER && password === PASSWORD) done(null, { user: username });
      else done(new Error(`no, not ${password}`));
    },
    ...options,
  });
  server.on('error', () => {});
  server.listen(0, host);
  await once(server.server, 'listening');
  open.push({ close: () => new Promise<void>((done) => server.close(done)) });
  return { port: (server.server.address() as AddressInfo).port, logins };
}

async function connect(
  url: string,
  trusted?: string,
  limits: Partial<typeof LIMITS> = LIMITS,
): Promise<SmtpConnection> {
  const config = { url: new URL(url), from: 'a@b.example', connections: 1, perMinute: undefined };
  const connection = await SmtpConnection.open(config, limits, trusted);
  open.push(connection);
  return connection;
}

const failure = (url: string, trusted?: string, limits?: typeof LIMITS): Promise<unknown> =>
  connect(url, trusted, limits).then(
    () => 'open',
    (error: unknown) => (error instanceof SmtpUnavailable ? error.message : error),
  );
const send = (connection: SmtpConnection) =>
  connection.send({ from: 'a@b.example', to: 'c@d.example', bytes: Buffer.alloc(100_000, 'hello\r\n') }, new Begun());

test.each(['smtps', 'smtp'])('%s logs in over TLS and sends many', async (scheme) => {
  const { port, logins } = await serve({ secure: scheme === 'smtps' });
  const connection = await connect(`${scheme}://${LOGIN}127.0.0.1:${port}`, certificate);
  for (let each = 0; each < 50; each++) expect(await send(connection)).toMatchObject({ result: 'sent' });
  expect(logins).toEqual([{ method: 'PLAIN', username: USER, password: PASSWORD, secure: true }]);
});

test.each(['smtps', 'smtp'])('%s takes no certificate that nobody has signed', async (scheme) => {
  const { port, logins } = await serve({ secure: scheme === 'smtps' });
  expect(await failure(`${scheme}://${LOGIN}127.0.0.1:${port}`)).toBe(
    `mail server 127.0.0.1:${port}: self-signed certificate`,
  );
  expect(logins).toEqual([]);
});

test('a password goes in the clear on this machine only', async () => {
  const { port, logins } = await serve({ hideSTARTTLS: true, allowInsecureAuth: true });
  expect((await connect(`smtp://${LOGIN}127.0.0.1:${port}`)).isOpen).toBe(true);
  expect(logins).toEqual([{ method: 'PLAIN', username: USER, password: PASSWORD, secure: false }]);
});

test('a server elsewhere that has no TLS gets no password', async () => {
  // 0.0.0.0 is this machine by another name, and no loopback address.
  const smtp = await FaultySmtp.listen((_, step) =>
    step === 'rset' ? { kind: 'says', at: step, text: '502 no' } : undefined,
  );
  open.push(smtp);
  expect(await failure(`smtp://${LOGIN}0.0.0.0:${smtp.port}`)).toBe(
    `mail server 0.0.0.0:${smtp.port}: it offers no TLS, and a password never goes in the clear; use smtps:// or a server with STARTTLS`,
  );
  expect(smtp.commands.slice(1)).toEqual(['STARTTLS']);
});

test('a login that is refused is told without the password', async () => {
  const { port } = await serve({ secure: true });
  const text = await failure(`smtps://${encodeURIComponent(USER)}:wr%C3%B6ng@127.0.0.1:${port}`, certificate);
  expect(text).toBe(`mail server 127.0.0.1:${port}: Invalid login: 535 no, not <password>`);
});

test.each<[SmtpStep, string, string]>([
  ['greeting', '554 5.7.1 go away', 'Invalid greeting. response=554 5.7.1 go away: 554 5.7.1 go away'],
  ['greeting', '421 4.3.2 bye', 'Invalid greeting. response=421 4.3.2 bye: 421 4.3.2 bye'],
  ['ehlo', '421 4.3.2 bye', 'Server terminates connection. response=421 4.3.2 bye: 421 4.3.2 bye'],
  ['ehlo', '550 5.7.1 no', 'Invalid HELO. response=550 5.7.1 no: 550 5.7.1 no'],
])('a server that says no at %s is unavailable: %s', async (at, text, said) => {
  const smtp = await FaultySmtp.listen(() => ({ kind: 'says', at, text }));
  open.push(smtp);
  expect(await failure(smtp.url)).toBe(`mail server 127.0.0.1:${smtp.port}: ${said}`);
});

test.each<SmtpStep>(['greeting', 'ehlo'])('a server that is silent or gone at %s is unavailable', async (at) => {
  const smtp = await FaultySmtp.listen(() => ({ kind: 'silent', at }));
  open.push(smtp);
  const where = `mail server 127.0.0.1:${smtp.port}: `;
  expect(await failure(smtp.url, undefined, { openMs: 300 })).toMatch(
    new RegExp(`^${where}(not ready within 0.3 s|Greeting never received)$`),
  );
  smtp.script = () => ({ kind: 'drops', at });
  expect(await failure(smtp.url)).toMatch(new RegExp(`^${where}(read|connect) ECONNRESET`));
});

test('a server that is not there is unavailable, by host and port', async () => {
  const smtp = await FaultySmtp.listen();
  const { port } = smtp;
  await smtp.close();
  expect(await failure(`smtp://${LOGIN}127.0.0.1:${port}`)).toBe(
    `mail server 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
  );
});

test.each([
  ['smtp://mail.example', { host: 'mail.example', port: 587, secure: false, user: '', password: '' }],
  ['smtps://mail.example', { host: 'mail.example', port: 465, secure: true, user: '', password: '' }],
  ['smtp://[::1]:25', { host: '::1', port: 25, secure: false, user: '', password: '' }],
  [
    'smtps://a%40b:c%2Fd@mail.example:2465',
    { host: 'mail.example', port: 2465, secure: true, user: 'a@b', password: 'c/d' },
  ],
])('SMTP_URL is read: %s', (url, server) => {
  expect(serverOf(new URL(url))).toEqual(server);
});

test.each(['smtp://a%ff:secret@mail.example', 'smtp:'])(
  'an SMTP_URL that says nothing is refused without its password: %s',
  async (url) => {
    const text = await failure(url);
    expect(text).toMatch(/SMTP_URL/);
    expect(text).not.toMatch(/secret/);
  },
);
