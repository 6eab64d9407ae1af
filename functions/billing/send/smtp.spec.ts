import { afterEach, expect, test } from 'vitest';
import { FaultySmtp, type SmtpFault } from '../../../testing/smtp-faults.js';
import { Begun, type MailResult, SmtpConnection, type SmtpLimits } from './smtp.js';

const FROM = 'cobranca@disparo.example';
const TO = 'maria.silva@example.com';
const LIMITS = { handOverMs: 200, sendMs: 400, openMs: 2_000 };
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

const mail = (bytes = Buffer.from('Message-ID: <1@x>\r\n\r\nhello\r\n')) => ({ from: FROM, to: TO, bytes });

async function server(fault?: SmtpFault): Promise<FaultySmtp> {
  const smtp = await FaultySmtp.listen(() => fault);
  opened.push(smtp);
  return smtp;
}

async function connect({ url }: { url: string }, limits: Partial<SmtpLimits> = LIMITS): Promise<SmtpConnection> {
  const config = { url: new URL(url), from: FROM, connections: 1, perMinute: undefined };
  const connection = await SmtpConnection.open(config, limits);
  opened.unshift(connection);
  return connection;
}

type Row = [string, SmtpFault, MailResult, boolean];
const says = (at: 'mail' | 'rcpt' | 'data' | 'dot', text: string): SmtpFault => ({ kind: 'says', at, text });
const sent = (response: string): MailResult => ({ result: 'sent', response });
const refused = (response: string): MailResult => ({ result: 'refused', response });
const later = (response: string): MailResult => ({ result: 'later', response });

test.each<Row>([
  ['250 after the dot is sent', { kind: 'ok' }, sent('250 2.0.0 queued'), true],
  ['451 after the dot is later', says('dot', '451 4.3.0 busy'), later('451 4.3.0 busy'), true],
  ['550 after the dot is refused', says('dot', '550 5.7.1 spam'), refused('550 5.7.1 spam'), true],
  ['450 to RCPT is later', says('rcpt', '450 4.2.1 slow down'), later('450 4.2.1 slow down'), true],
  ['550 to RCPT is refused', says('rcpt', '550 5.1.1 no such user'), refused('550 5.1.1 no such user'), true],
  ['451 to DATA is later', says('data', '451 4.3.0 full'), later('451 4.3.0 full'), true],
  ['554 to DATA is later', says('data', '554 5.5.1 no'), later('554 5.5.1 no'), true],
])('%s, and the connection stays open', async (_, fault, result, isOpen) => {
  const smtp = await server(fault);
  const connection = await connect(smtp);
  expect(await connection.send(mail(), new Begun())).toEqual(result);
  expect(connection.isOpen).toBe(isOpen);
  smtp.script = () => undefined;
  expect(await connection.send(mail(), new Begun())).toEqual(sent('250 2.0.0 queued'));
  expect(smtp.connections).toBe(1);
});
