import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EXIT } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';
import { someCnpj } from '../../../testing/cnpj.js';

/** What the demo reads of a campaign. */
export interface Campaign {
  id: string;
  status: string;
  total: number;
  published: number;
  stored: number;
}

/** What the API says about the uploaded file. */
export interface FileCounts {
  lines: number;
  accepted: number;
  duplicate: number;
  invalid: number;
  blank: number;
  rejects_kept: number;
  phone_column: string | number;
  rejects: { line: number; value: string; reason: string }[];
}

/** A file on the disk. */
interface OnDisk {
  path: string;
  size: number;
}

/** A file of numbers, and the campaign that it is for. */
interface Upload extends OnDisk {
  name: string;
  message: string;
}

/** Called with how many bytes of a file are sent. */
type Sent = (bytes: number) => void;

const REQUEST_TIMEOUT_MS = 30_000;
/** An upload is given up after this time without progress and without an answer. */
const STALL_MS = 60_000;

/** One person with a company, over HTTP alone. Throws CommandError with the code of the API's problem. */
export class Client {
  #token = '';
  #company = '';

  constructor(readonly base: string) {}

  /** The company that enter() has made. */
  get company(): string {
    return this.#company;
  }

  /** Registers, logs in and makes a company. Returns the person's e-mail. */
  async enter(): Promise<string> {
    const person = {
      email: `demo.${randomBytes(6).toString('hex')}@example.com`,
      password: randomBytes(12).toString('base64url'),
    };
    await this.call('POST', '/api/users', person);
    this.#token = (await this.call<{ access_token: string }>('POST', '/api/auth/login', person)).access_token;
    this.#company = (
      await this.call<{ id: string }>('POST', '/api/companies', { name: 'Demo', document: someCnpj() })
    ).id;
    return person.email;
  }

  /** Streams the file from the disk into a campaign. */
  async upload(file: Upload, sent: Sent): Promise<{ campaign: Campaign; counts: FileCounts }> {
    const fields = { name: file.name, message: file.message, company_id: this.#company };
    const made = await this.sendFile<Campaign & { file: FileCounts }>('/api/campaigns', fields, file, sent);
    const { file: counts, ...campaign } = made;
    return { campaign, counts };
  }

  /** Streams a form with a file from the disk, the fields first. Returns the JSON of a 201. */
  async sendFile<T>(path: string, fields: Record<string, string>, file: OnDisk, sent: Sent): Promise<T> {
    const boundary = `disparo-${randomBytes(12).toString('hex')}`;
    const head = Object.entries(fields)
      .map(([name, value]) => part(boundary, name, '', value))
      .join('');
    const filename = `; filename="${encodeURIComponent(basename(file.path))}"`;
    const before = Buffer.from(
      `${head}${part(boundary, 'file', `${filename}\r\nContent-Type: text/plain`, '').slice(0, -2)}`,
    );
    const after = Buffer.from(`\r\n--${boundary}--\r\n`);
    const headers = {
      authorization: `Bearer ${this.#token}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': before.length + file.size + after.length,
    };
    const outgoing = request(`${this.base}${path}`, { method: 'POST', headers });
    outgoing.setTimeout(STALL_MS, () =>
      outgoing.destroy(new Error(`no answer to the upload for ${STALL_MS / 1000} s`)),
    );
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing
        .on('response', resolve)
        .on('error', (error) => reject(error instanceof CommandError ? error : unreachable(error)));
    });
    outgoing.write(before);
    const body = pipeline(counted(file.path, sent), outgoing, { end: false }).then(
      () => outgoing.end(after),
      // A refusal may come before the whole file is sent. Then the answer counts, and not the broken pipe.
      (error: unknown) => error instanceof CommandError && outgoing.destroy(error),
    );
    const response = await answer;
    const text = await textOf(response);
    // A server that refuses need not read the rest. We would then write for ever.
    if (response.statusCode !== 201) outgoing.destroy();
    await body;
    return parseAnswer<T>(response.statusCode ?? 0, text);
  }

  /** The current state of the campaign. */
  async campaign(id: string): Promise<Campaign> {
    return this.call('GET', `/api/campaigns/${id}`);
  }

  /** The bytes of an answer to the person. */
  async bytes(path: string): Promise<Buffer> {
    const response = await fetch(`${this.base}${path}`, {
      headers: { authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch((error: Error) => {
      throw unreachable(error);
    });
    const body = Buffer.from(await response.arrayBuffer());
    return response.ok ? body : parseAnswer(response.status, body.toString());
  }

  /** Asks the API as the person, or with another Bearer. Returns the JSON of its answer. */
  async call<T>(method: string, path: string, body?: unknown, bearer = this.#token): Promise<T> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch((error: Error) => {
      throw unreachable(error.cause instanceof Error ? error.cause : error);
    });
    return parseAnswer<T>(response.status, await response.text());
  }
}

function part(boundary: string, name: string, more: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
}

async function* counted(path: string, sent: Sent): AsyncGenerator<Buffer> {
  let bytes = 0;
  const pieces = createReadStream(path).on('error', () => {});
  try {
    for await (const piece of pieces as AsyncIterable<Buffer>) {
      yield piece;
      bytes += piece.length;
      sent(bytes);
    }
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

function unreachable(error: Error): CommandError {
  return new CommandError(`The API does not answer: ${error.message}`, EXIT.bug);
}

function parseAnswer<T>(status: number, text: string): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new CommandError(`The API answered ${status} without JSON: ${text.slice(0, 200)}`, EXIT.bug);
  }
  if (status < 300) return body as T;
  const { detail, title, code } = body as { detail?: string; title?: string; code?: string };
  throw new CommandError(
    `Refused: ${detail ?? title ?? text.slice(0, 200)} (${code ?? status})`,
    status < 500 ? EXIT.configuration : EXIT.bug,
  );
}
