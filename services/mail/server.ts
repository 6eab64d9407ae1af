import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';
import { CommandError } from '../command-error.js';

/** The settings of a catcher. */
interface CatcherOptions {
  /** Each mail becomes a file here. */
  folder: string;
  /** 0 or absent for any free one. */
  port?: number;
  /** Gets a line where a mail could not be written. */
  say?: (line: string) => void;
}

/** Where mails are from on this machine, unless SMTP_FROM says another address. */
export const LOCAL_FROM = 'cobranca@example.com';

const LOOPBACK = '127.0.0.1';
const MOST_BYTES = 32 * 1024 * 1024;
const CLOSE_MS = 500;
/** Of the recipient, in the name of a file. */
const MOST_NAMED = 80;
const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** A mail server on loopback that delivers nothing: each mail becomes a file that mail programs open. */
export class Catcher {
  /** As in SMTP_URL. */
  readonly url: string;

  private constructor(
    private readonly server: SMTPServer,
    readonly folder: string,
    port: number,
  ) {
    this.url = `smtp://${LOOPBACK}:${port}`;
  }

  /** Throws CommandError where the folder cannot be written, and with the code EADDRINUSE where the port is taken. */
  static async open({ folder, port = 0, say = () => {} }: CatcherOptions): Promise<Catcher> {
    await writable(folder);
    const server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      authOptional: true,
      disableReverseLookup: true,
      logger: false,
      size: MOST_BYTES,
      closeTimeout: CLOSE_MS,
      onData: (stream, { envelope }, callback) => {
        const [recipient] = envelope.rcptTo;
        take(stream, folder, recipient?.address ?? '').then(
          () => callback(null, 'written'),
          (error: unknown) => callback(refusalOf(error, say)),
        );
      },
    });
    // A client that leaves in the middle is no error of ours; one of listening is thrown below.
    server.on('error', () => {});
    const listening = server.listen(port, LOOPBACK);
    await once(listening, 'listening');
    return new Catcher(server, folder, (listening.address() as AddressInfo).port);
  }

  /** Mails whose end has come are still written; then connections are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** Opens a catcher. Throws CommandError where the folder cannot be written or the port is taken. */
export function openCatcher(options: CatcherOptions): Promise<Catcher> {
  return Catcher.open(options).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EADDRINUSE' ? new CommandError(`SMTP_URL: port ${options.port} is in use`) : error;
  });
}

async function writable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(`mails cannot be written to ${folder}: ${code}`);
  }
}

/** Returns once the mail is on disk, whole: only then may it be answered with 250. Throws where it broke off or was too large. */
async function take(stream: SMTPServerDataStream, folder: string, recipient: string): Promise<void> {
  const pieces: Buffer[] = [];
  // The rest of one that is too large is read and dropped; the server then refuses it by itself.
  for await (const piece of stream) if (!stream.sizeExceeded) pieces.push(piece as Buffer);
  if (stream.sizeExceeded) return;
  // Somebody may have emptied `.local` meanwhile.
  await mkdir(folder, { recursive: true });
  const name = nameOf(recipient);
  const part = join(folder, `.${name}.part`);
  try {
    await write(part, pieces);
    await rename(part, join(folder, name));
    await synced(await open(folder));
  } finally {
    await rm(part, { force: true });
  }
}

async function write(file: string, pieces: readonly Buffer[]): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    for (const piece of pieces) await handle.writeFile(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function synced(folder: FileHandle): Promise<void> {
  await folder.sync().finally(() => folder.close());
}

/** `20261130T234512.345Z-ana@example.com-1a2b3c.eml`: in order of time, on any file system, never the same twice. */
function nameOf(recipient: string): string {
  const time = new Date().toISOString().replace(/[-:]/g, '');
  const safe = recipient.replace(/[^A-Za-z0-9@._+-]/g, '_').slice(0, MOST_NAMED);
  return `${time}-${safe}-${randomBytes(6).toString('hex')}.eml`;
}

/** A full disk is said as such; a client tries again after either answer. */
function refusalOf(error: unknown, say: (line: string) => void): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  // The client has left: nobody reads the answer, and there is nothing to write.
  if (code !== 'ECONNECTION') say(`a mail could not be written: ${message}`);
  const isFull = code !== undefined && FULL.has(code);
  const text = isFull ? 'the disk is full' : 'the mail could not be written';
  return Object.assign(new Error(text), { responseCode: isFull ? 452 : 451 });
}
