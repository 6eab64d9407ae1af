import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Keys, refusalOf } from './signature.js';

/** An object that has been written whole. */
export interface Created {
  key: string;
  size: number;
  /** Without quotes, as events have it. */
  eTag: string;
}

/** The settings of a store. */
interface S3Options {
  /** The folder of the objects, a file each. */
  folder: string;
  bucket: string;
  keys: Keys;
  /** Called after each PUT has been answered. */
  onCreated?: (object: Created) => void;
  port?: number;
}

const LOOPBACK = '127.0.0.1';
const KEY_FORM = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;
const STATUS: Record<string, number> = {
  AccessDenied: 403,
  SignatureDoesNotMatch: 403,
  RequestTimeTooSkewed: 403,
  NoSuchKey: 404,
  NoSuchBucket: 404,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  IncompleteBody: 400,
};

/**
 * As much of S3 as uploads need, on loopback: PUT, GET, HEAD and DELETE of an object in one bucket, each with a valid
 * signature. An object is streamed to disk and appears whole, by a rename, or not at all.
 */
export class S3Server {
  /** The URL without a bucket, as in S3_ENDPOINT. */
  readonly url: string;

  private constructor(
    private readonly server: Server,
    port: number,
  ) {
    this.url = `http://${LOOPBACK}:${port}`;
  }

  static async open(options: S3Options): Promise<S3Server> {
    await mkdir(join(options.folder, options.bucket), { recursive: true });
    const store = new Store(options);
    // A large file may take its time.
    const server = createServer({ requestTimeout: 0 }, (request, response) => void store.answer(request, response));
    server.listen(options.port ?? 0, LOOPBACK);
    await once(server, 'listening');
    return new S3Server(server, (server.address() as { port: number }).port);
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

class S3Error extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

class Store {
  constructor(private readonly options: S3Options) {}

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const refusal = refusalOf(request, this.options.keys);
      if (refusal) throw new S3Error(refusal);
      await this.#serve(request, response, this.#keyOf(request));
    } catch (error) {
      refuse(request, response, error);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    const file = join(this.options.folder, this.options.bucket, key);
    if (request.method === 'PUT') {
      const { size, etag } = await write(request, file);
      response.writeHead(200, { etag: `"${etag}"` }).end();
      this.options.onCreated?.({ key, size, eTag: etag });
    } else if (request.method === 'GET' || request.method === 'HEAD') {
      const { handle, found } = await openObject(file);
      response.writeHead(200, {
        'content-length': found.size,
        'content-type': 'application/octet-stream',
        etag: `"${etagOf(found)}"`,
        'last-modified': found.mtime.toUTCString(),
      });
      if (request.method === 'GET') await pipeline(handle.createReadStream(), response).catch(() => response.destroy());
      else response.end();
      await handle.close();
    } else if (request.method === 'DELETE') {
      await rm(file, { force: true });
      response.writeHead(204).end();
    } else throw new S3Error('MethodNotAllowed');
  }

  #keyOf(request: IncomingMessage): string {
    const { pathname } = new URL(request.url ?? '/', 'http://store');
    const [, bucket, ...key] = pathname.split('/');
    if (bucket !== this.options.bucket) throw new S3Error('NoSuchBucket');
    if (!KEY_FORM.test(key.join('/'))) throw new S3Error('NoSuchKey');
    return key.join('/');
  }
}

async function write(request: IncomingMessage, file: string): Promise<{ size: number; etag: string }> {
  const said = request.headers['content-length'];
  if (said === undefined) throw new S3Error('MissingContentLength');
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    await pipeline(request, createWriteStream(part));
    const written = await stat(part);
    if (written.size !== Number(said)) throw new S3Error('IncompleteBody');
    await rename(part, file);
    return { size: written.size, etag: etagOf(written) };
  } finally {
    await rm(part, { force: true });
  }
}

/** Opens the object as it is now: it can be read to its end, even if its key is written meanwhile. Throws S3Error. */
async function openObject(file: string): Promise<{ handle: FileHandle; found: Stats }> {
  const handle = await open(file).catch(() => {
    throw new S3Error('NoSuchKey');
  });
  const found = await handle.stat();
  if (found.isFile()) return { handle, found };
  await handle.close();
  throw new S3Error('NoSuchKey');
}

/** A new ETag for each PUT. It is not the MD5 of the content, which S3 does not always give either. */
function etagOf({ ino, mtimeMs, size }: Stats): string {
  return createHash('md5').update(`${ino} ${mtimeMs} ${size}`).digest('hex');
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const code = error instanceof S3Error ? error.code : 'InternalError';
  // Reads on, so that a client that sends its whole body before it reads gets the answer.
  request.resume();
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(STATUS[code] ?? 500, { 'content-type': 'application/xml', connection: 'close' });
  response.end(request.method === 'HEAD' ? undefined : body);
}
