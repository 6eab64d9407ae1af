import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { ServiceUnavailable } from '../problem.js';
import { awsSdk } from './aws-sdk.js';

/** An object as it is now. Another write to its key makes another object. */
export interface StoredObject {
  /** Bytes. */
  size: number;
  etag: string;
  lastModified: Date;
}

/** An object with its bytes. The caller must close it, read or not. */
export interface OpenObject extends StoredObject {
  bytes: AsyncIterable<Uint8Array>;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** The longest wait between two pieces of an object, and until an answer begins. */
const SILENCE_MS = 30_000;
const ABSENT = new Set(['NotFound', 'NoSuchKey']);

const sdk = () => awsSdk(() => import('@aws-sdk/client-s3'));

/** The bucket of uploads. Throws ServiceUnavailable when it cannot be used. Connects at the first use. */
@Injectable()
export class ObjectStore implements OnApplicationShutdown {
  #client: S3Client | undefined;

  constructor(private readonly config: Config) {}

  get isConfigured(): boolean {
    return this.config.objectStore !== undefined;
  }

  /**
   * A URL that takes an object of exactly `size` bytes: Content-Length is signed, so the store refuses another size.
   * Content-Type is not signed: a client that gets only a URL would not know which one to send.
   */
  async presignPut(key: string, size: number, lifeS: number): Promise<{ url: string; expiresAt: Date }> {
    const [{ PutObjectCommand }, { getSignedUrl }] = await Promise.all([
      sdk(),
      import('@aws-sdk/s3-request-presigner'),
    ]);
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, ContentLength: size });
    // A signature's time has whole seconds.
    const signingDate = new Date(Math.floor(Date.now() / 1_000) * 1_000);
    const url = await getSignedUrl(await this.#s3(), command, { expiresIn: lifeS, signingDate }).catch(
      (error: unknown) => {
        throw unavailable(error);
      },
    );
    return { url, expiresAt: new Date(signingDate.getTime() + lifeS * 1_000) };
  }

  async head(key: string): Promise<StoredObject | undefined> {
    const { HeadObjectCommand } = await sdk();
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key });
    return this.#unlessAbsent(async () => storedObject(await (await this.#s3()).send(command)));
  }

  /** One object from its first byte to its last, even if its key is written again meanwhile. Undefined: there is none. */
  async open(key: string): Promise<OpenObject | undefined> {
    const { GetObjectCommand } = await sdk();
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key });
    return this.#unlessAbsent(async () => {
      const answer = await (await this.#s3()).send(command);
      const object = storedObject(answer);
      const body = answer.Body as Readable;
      return { ...object, bytes: completeBytes(body, object.size), close: () => body.destroy() };
    });
  }

  /** Safe to repeat. */
  async remove(key: string): Promise<void> {
    const { DeleteObjectCommand } = await sdk();
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
    await this.#unlessAbsent(async () => (await this.#s3()).send(command));
  }

  onApplicationShutdown(): void {
    this.#client?.destroy();
  }

  get #bucket(): string {
    return this.config.objectStore?.bucket ?? '';
  }

  async #s3(): Promise<S3Client> {
    if (this.#client) return this.#client;
    const { endpoint, region, credentials } = this.config.objectStore ?? { region: '' };
    const { S3Client } = await sdk();
    this.#client ??= new S3Client({
      region,
      // A bucket is a host name at AWS; elsewhere it is the first part of the path.
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      ...(credentials && { credentials }),
      // Otherwise a signed URL demands the checksum of an empty body.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_MS },
    });
    return this.#client;
  }

  async #unlessAbsent<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (ABSENT.has((error as Error).name)) return undefined;
      throw unavailable(error);
    }
  }
}

/** For any error but "there is none": wrong keys and a missing bucket are mended too, once somebody has seen the log. */
function unavailable(error: unknown): ServiceUnavailable {
  return new ServiceUnavailable('the object store cannot be reached, or does not let us in', error);
}

function storedObject(answer: {
  ContentLength?: number | undefined;
  ETag?: string | undefined;
  LastModified?: Date | undefined;
}): StoredObject {
  const { ContentLength: size = 0, ETag: etag = '', LastModified: lastModified = new Date(0) } = answer;
  return { size, etag, lastModified };
}

/** The bytes of an object. A lost connection is not its end: throws unless the last byte was read. */
async function* completeBytes(body: Readable, size: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  try {
    for await (const piece of body) {
      read += piece.length;
      yield piece;
    }
  } catch (error) {
    throw unavailable(error);
  }
  if (read !== size) throw unavailable(new Error(`an object of ${size} bytes ended after ${read}`));
}
