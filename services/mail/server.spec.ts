import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Catcher, openCatcher } from './server.js';

const root = mkdtempSync(join(tmpdir(), 'disparo-mail-'));
const folder = join(root, 'mail');
const said: string[] = [];
let catcher: Catcher;

beforeAll(async () => {
  catcher = await openCatcher({ folder, say: (line) => said.push(line) });
});
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  said.length = 0;
});
afterAll(async () => {
  await catcher.close();
  rmSync(root, { recursive: true });
});

const files = () => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
const hash = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const written = () => files().map((name) => readFileSync(join(folder, name)));

/** Sends bytes as they are, by a real client. Returns what the server answered. */
async function send(raw: string, to = 'ana@example.com', url = catcher.url): Promise<string> {
  const transport = createTransport(url);
  try {
    return (await transport.sendMail({ envelope: { from: 'cobranca@example.com', to }, raw })).response;
  } finally {
    transport.close();
  }
}

/** A client that says what it is told, and reads an answer each time. */
async function talk(...lines: string[]): Promise<Socket> {
  const socket = connect(Number(new URL(catcher.url).port), '127.0.0.1');
  await once(socket, 'data');
  for (const line of lines) {
    socket.write(`${line}\r\n`);
    await once(socket, 'data');
  }
  return socket;
}
const TO_DATA = ['EHLO test', 'MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA'];

test('what a client sends is in a file before it is answered, byte for byte', async () => {
  const raw = 'Subject: dots\r\nMessage-ID: <1@example.com>\r\n\r\n.\r\n..\r\n.a\r\n\r\nend\r\n.\r\n';
  expect(await send(raw)).toMatch(/^250 /);
  expect(written().map(String)).toEqual([raw]);
  expect(files()).toEqual([expect.stringMatching(/^\d{8}T\d{6}\.\d{3}Z-ana@example\.com-[0-9a-f]{12}\.eml$/)]);
});

test('a mail with parts of another library is read back', async () => {
  const transport = createTransport(catcher.url);
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 31) % 256));
  const names = { from: 'a@example.com', to: '"Fulana, de Tal" <b@example.com>', subject: 'Olá' };
  await transport.sendMail({ ...names, text: 'Olá.', attachments: [{ filename: 'x.bin', content }] });
  transport.close();
  const { subject, text, attachments } = await simpleParser(written()[0] ?? '');
  expect([subject, text?.trim(), hash(attachments[0]?.content ?? '')]).toEqual(['Olá', 'Olá.', hash(content)]);
});

test('mails at once have a file each, one of the same Message-ID too', async () => {
  const raw = (body: string) => `Message-ID: <same@example.com>\r\n\r\n${body}\r\n`;
  const bodies = Array.from({ length: 40 }, (_, at) => raw(`mail ${at % 20}`));
  await Promise.all(bodies.map((body) => send(body)));
  expect(written().map(String).sort()).toEqual(bodies.sort());
});

test.each([
  ["a'b/c|d*e@example.com", 'a_b_c_d_e@example.com'],
  [`${'x'.repeat(64)}@${'y'.repeat(60)}.com`, `${'x'.repeat(64)}@${'y'.repeat(15)}`],
])('the recipient %s is safe in the name of a file', async (to, named) => {
  await send('\r\nx\r\n', to);
  expect(files().map((name) => name.replace(/^[^-]*-(.*)-[^-]*$/, '$1'))).toEqual([named]);
});

test('a client that is gone in the middle of its mail leaves no file', async () => {
  const socket = await talk(...TO_DATA);
  await new Promise((resolve) => socket.write(`\r\n${'half a mail\r\n'.repeat(10_000)}`, resolve));
  socket.destroy();
  await send('\r\na whole one\r\n');
  await expect.poll(() => written().map(String)).toEqual(['\r\na whole one\r\n']);
  expect(said).toEqual([]);
});

test('a folder that is gone meanwhile is made again', async () => {
  await send('\r\none\r\n');
  rmSync(folder, { recursive: true });
  await send('\r\ntwo\r\n');
  expect(written().map(String)).toEqual(['\r\ntwo\r\n']);
});

test('a mail that cannot be written is refused for now, and said; the next one is taken', async () => {
  writeFileSync(folder, 'no folder');
  await expect(send('\r\nx\r\n')).rejects.toMatchObject({ responseCode: 451 });
  expect(said).toEqual([expect.stringMatching(/^a mail could not be written: /)]);
  rmSync(folder);
  expect(await send('\r\nx\r\n')).toMatch(/^250 /);
});

test('a place where no folder can be is refused in words', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  const refused = { name: 'CommandError', message: `mails cannot be written to ${join(file, 'mail')}: ENOTDIR` };
  await expect(openCatcher({ folder: join(file, 'mail') })).rejects.toMatchObject(refused);
});

test('a port that is taken is refused in words', async () => {
  const port = Number(new URL(catcher.url).port);
  const refused = { name: 'CommandError', message: `SMTP_URL: port ${port} is in use` };
  await expect(openCatcher({ folder, port })).rejects.toMatchObject(refused);
});

test('it ends while clients are connected', async () => {
  const other = await openCatcher({ folder });
  const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
  await once(socket, 'data');
  const gone = once(socket, 'close');
  await other.close();
  await gone;
});
