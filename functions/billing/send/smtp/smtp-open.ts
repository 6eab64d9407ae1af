import { isIP } from 'node:net';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

/** The mail server cannot be used at all. The text names host and port, and never the password. */
export class SmtpUnavailable extends Error {
  override name = 'SmtpUnavailable';
}

/** Where the mail server is, and who we are there. */
export interface SmtpServer {
  host: string;
  port: number;
  secure: boolean;
  user: string;
  password: string;
}

/** A reply that grows beyond it is no reply. */
const MOST_REPLY_BYTES = 64 * 1024;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i;

/**
 * Reads SMTP_URL. Without a port it is 587 for `smtp:`, where users hand over their mails, and 465 for `smtps:`. User and
 * password are URL-decoded, an IPv6 address stands in brackets.
 */
export function serverOf(url: URL): SmtpServer {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw new SmtpUnavailable('SMTP_URL names no host');
  const secure = url.protocol === 'smtps:';
  const port = Number(url.port) || (secure ? 465 : 587);
  try {
    return { host, port, secure, user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    throw new SmtpUnavailable(`the user or the password in SMTP_URL of ${host}:${port} is not URL-encoded`);
  }
}

/** How an operator reads where it is: `mail.example.com:587`, `[::1]:25`. */
export function nameOf({ host, port }: SmtpServer): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Connects, greets, takes TLS where it is offered, and logs in. A password goes over TLS only, unless the server is on this
 * machine. `trusted`: a certificate that is taken besides those of well-known authorities.
 */
export function openClient(server: SmtpServer, openMs: number, trusted?: string): Promise<SMTPConnection> {
  const { host, port, secure, user, password } = server;
  const client = new SMTPConnection({
    host,
    port,
    secure,
    requireTLS: needsTls(server),
    connectionTimeout: openMs,
    greetingTimeout: openMs,
    dnsTimeout: openMs,
    maxResponseSize: MOST_REPLY_BYTES,
    // Closing destroys the socket: one that is ended only would still write what waits in it.
    socketCloseTimeout: 0,
    tls: { rejectUnauthorized: true, ...(trusted !== undefined && { ca: trusted }) },
  });
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      clearTimeout(timer);
      // Before the close, which emits `end`: the first reason is the one that helps.
      reject(new SmtpUnavailable(`mail server ${nameOf(server)}: ${withoutSecrets(what, server)}`));
      client.close();
    };
    const check = (go: () => void) => (error?: Error | null) => (error ? fail(textOf(error, server)) : go());
    const done = (): void => {
      clearTimeout(timer);
      resolve(client);
    };
    const timer = setTimeout(() => fail(`not ready within ${openMs / 1_000} s`), openMs);
    // It stays for as long as the client lives: an error that nobody listens for ends the process.
    client.on('error', (error: Error) => fail(textOf(error, server)));
    client.once('end', () => fail('it has closed the connection'));
    client.connect(check(() => (user === '' ? done() : client.login({ user, pass: password }, check(done)))));
  });
}

function needsTls({ secure, user, host }: SmtpServer): boolean {
  return !secure && user !== '' && !LOOPBACK.test(host);
}

function textOf(error: Error & { code?: string; originalCode?: string; command?: string }, server: SmtpServer): string {
  if (needsTls(server) && error.command === 'STARTTLS' && 'response' in error)
    return 'it offers no TLS, and a password never goes in the clear; use smtps:// or a server with STARTTLS';
  // Of several addresses that failed, the message is empty.
  return error.message || error.originalCode || error.code || error.name;
}

/** A server may repeat what it was told. */
function withoutSecrets(text: string, { user, password }: SmtpServer): string {
  if (password === '') return text;
  const base64 = (secret: string) => Buffer.from(secret).toString('base64');
  const secrets = [base64(`\0${user}\0${password}`), base64(password), password];
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '<password>'), text);
}
