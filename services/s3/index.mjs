// S3 for `serverless offline start`: takes the PUT of an upload on loopback and posts its event to the functions that
// serverless.yml lists for the bucket, as AWS does. It does not start where S3_ENDPOINT is set, or no function has an s3
// event.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export default class LocalS3 {
  #serverless;
  #options;
  #server;

  constructor(serverless, options) {
    this.#serverless = serverless;
    this.#options = options;
    this.hooks = {
      'before:offline:start:init': () => this.#start(),
      'offline:start:end': () => this.#server?.close(),
    };
  }

  async #start() {
    const { service, serviceDir } = this.#serverless;
    const { readEnvironment } = await import('@disparo/contract');
    const { S3_ENDPOINT, S3_PORT = '0', UPLOAD_BUCKET } = readEnvironment(process.env, serviceDir);
    const bucket = service.provider.environment.UPLOAD_BUCKET;
    const listeners = listenersOf(service, bucket);
    if (S3_ENDPOINT) {
      // serverless.yml does not know what .env says, and its own environment would win over .env.
      service.provider.environment.UPLOAD_BUCKET = UPLOAD_BUCKET ?? bucket;
      return;
    }
    if (listeners.length === 0) return;
    // Keys of this process only: a URL that an earlier process signed is refused.
    const keys = { accessKeyId: 'local', secretAccessKey: randomBytes(32).toString('hex') };
    const { S3Server } = await import('../../dist/services/s3/server.js');
    this.#server = await this.#opened(S3Server, {
      folder: join(serviceDir, '.local', 's3'),
      bucket,
      keys,
      port: Number(S3_PORT),
      onCreated: (object) => {
        for (const { name, prefix } of listeners)
          if (object.key.startsWith(prefix)) void this.#post(name, bucket, object);
      },
    });
    Object.assign(service.provider.environment, {
      S3_ENDPOINT: this.#server.url,
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_SESSION_TOKEN: '',
    });
    process.stdout.write(`S3 on this machine, for uploads: ${this.#server.url}/${bucket}\n`);
  }

  /** Throws an error that serverless prints without a stack where S3_PORT is taken. */
  async #opened(S3Server, options) {
    try {
      return await S3Server.open(options);
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new this.#serverless.classes.Error(`S3_PORT: ${options.port} is in use`);
    }
  }

  async #post(name, bucket, object) {
    const { lambdaPort } = { ...this.#serverless.service.custom?.['serverless-offline'], ...this.#options };
    const url = `http://127.0.0.1:${lambdaPort}/2015-03-31/functions/${name}/invocations`;
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'x-amz-invocation-type': 'Event' },
        body: JSON.stringify({ Records: [record(bucket, object)] }),
      });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
    } catch (error) {
      // No upload is lost: each minute the function looks by itself for uploads without an event.
      process.stderr.write(`S3 on this machine: no event to ${name}: ${error.message}\n`);
    }
  }
}

/** The functions with an event for created objects in the bucket, with the names that they are invoked by. */
function listenersOf(service, bucket) {
  const listeners = [];
  for (const { name, events = [] } of Object.values(service.functions ?? {}))
    for (const { s3 } of events) {
      if (!s3 || bucketOf(service, s3.bucket) !== bucket || !/^s3:ObjectCreated:(\*|Put)$/.test(s3.event)) continue;
      listeners.push({ name, prefix: s3.rules?.find((rule) => rule.prefix)?.prefix ?? '' });
    }
  return listeners;
}

/** The name of the bucket. An event gives either that, or a key of `provider.s3`. */
function bucketOf(service, given) {
  return service.provider.s3?.[given]?.name ?? given;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
function record(bucket, { key, size, eTag }) {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventTime: new Date().toISOString(),
    eventName: 'ObjectCreated:Put',
    s3: {
      s3SchemaVersion: '1.0',
      bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
      object: { key: encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+'), size, eTag },
    },
  };
}
