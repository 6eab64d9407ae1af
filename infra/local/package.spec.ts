import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrate } from '../../functions/platform/stores/migrate.js';
import { ApiStage } from '../../testing/api-stage.js';
import { type Artefact, makeArtefacts } from './package/artefacts.js';
import { functionNames } from './package/function-names.js';

/** The outcome of a call: what the handler returned, or the error that Lambda would report, and its log. */
interface Outcome {
  answer?: { statusCode: number; headers: Record<string, string>; body: string };
  error?: { name: string; message: string };
  log: Record<string, unknown>[];
}

/** Does what Lambda does: loads the handler, passes the event and writes what it returns as JSON. */
const LAMBDA = `
import { writeFileSync } from 'node:fs';
const [file, event, outcomeFile] = process.argv.slice(1);
const { handler } = await import(file);
const context = { awsRequestId: 'r', callbackWaitsForEmptyEventLoop: true, getRemainingTimeInMillis: () => 29_000 };
const outcome = await handler(JSON.parse(event), context).then(
  (answer) => ({ answer }),
  ({ name, message }) => ({ error: { name, message } }),
);
writeFileSync(outcomeFile, JSON.stringify(outcome));
process.exit();
`;
const JSON_BODY = 'application/json; charset=utf-8';

/** Outside of the clone, so that a function finds nothing of the clone. */
const folder = mkdtempSync(join(tmpdir(), 'disparo-package-'));
let artefacts: Artefact[];
let stage: ApiStage;

beforeAll(async () => {
  artefacts = await makeArtefacts(join(folder, 'zips'));
  for (const { name, file } of artefacts) unpack(file, join(folder, name));
  stage = await ApiStage.open({ start: false });
  await migrate(stage.env.DATABASE_URL);
}, 120_000);

afterAll(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true });
});

function unpack(zip: string, into: string): void {
  for (const [name, content] of Object.entries(unzipSync(readFileSync(zip)))) {
    mkdirSync(dirname(join(into, name)), { recursive: true });
    writeFileSync(join(into, name), content);
  }
}

/** Calls a function in a new process, with only this environment. */
async function invoke(name: string, event: unknown, env: Record<string, string>): Promise<Outcome> {
  const cwd = join(folder, name);
  const bundle = join(cwd, 'dist', 'bundle', `${name}.mjs`);
  const outcomeFile = join(folder, 'outcome.json');
  const args = ['--input-type=module', '--eval', LAMBDA, bundle, JSON.stringify(event), outcomeFile];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env });
  const log = stdout.split('\n').filter(Boolean);
  return {
    ...(JSON.parse(readFileSync(outcomeFile, 'utf8')) as Outcome),
    log: log.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, version 2.0 */
function get(path: string): object {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: '',
    headers: { accept: '*/*', host: 'abc.execute-api.sa-east-1.amazonaws.com', 'user-agent': 'curl/8' },
    requestContext: {
      accountId: '',
      apiId: 'abc',
      domainName: 'abc.execute-api.sa-east-1.amazonaws.com',
      domainPrefix: 'abc',
      http: { method: 'GET', path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'curl/8' },
      requestId: 'r',
      routeKey: '$default',
      stage: '$default',
      time: '24/Nov/2026:12:00:00 +0000',
      timeEpoch: 1_795_521_600_000,
    },
    isBase64Encoded: false,
  };
}

describe('the zips', () => {
  test('hold one bundle each and the files of the contract', () => {
    const contract = [
      'admit.sql',
      'campaign-chunk.v1.schema.json',
      'dead-letters.json',
      'event.v1.schema.json',
      'events-topology.json',
      'keys.json',
      'messages.validator.json',
      'record-stored.sql',
      'refusals.json',
      'url-options.json',
    ];
    const files = (name: string) => readdirSync(join(folder, name), { recursive: true }).sort();
    for (const name of functionNames())
      expect(files(name)).toEqual(
        [...contract, 'topology.json', 'bundle', `bundle/${name}.mjs`]
          .map((file) => join('dist', file))
          .concat('dist')
          .sort(),
      );
  });

  test('are the same bytes when they are made again', { timeout: 120_000 }, async () => {
    const again = await makeArtefacts(join(folder, 'again'));
    const bytes = (all: Artefact[]) => all.map(({ name, file }) => [name, readFileSync(file).toString('base64')]);
    expect(bytes(again)).toEqual(bytes(artefacts));
  });
});

describe('outside of the clone', () => {
  test('the API answers health, and the OpenAPI document that it has unbundled', async () => {
    const health = await invoke('api', get('/api/health'), stage.env);
    expect([health.answer?.statusCode, health.answer?.headers['content-type']]).toEqual([200, JSON_BODY]);
    expect(JSON.parse(health.answer?.body ?? '')).toEqual({
      status: 'up',
      postgres: 'up',
      mongodb: 'up',
      rabbitmq: 'up',
    });
    const { answer } = await invoke('api', get('/api/openapi.json'), stage.env);
    expect([answer?.statusCode, answer?.headers['content-type']]).toEqual([200, JSON_BODY]);
    const unbundled = pathToFileURL('dist/postman/build/document.js').href;
    const { document } = (await import(/* @vite-ignore */ unbundled)) as { document(): Promise<object> };
    expect(JSON.parse(answer?.body ?? '')).toEqual(await document());
  });

  test('dispatch makes one pass', async () => {
    const { answer } = await invoke('dispatch', {}, stage.env);
    expect(answer).toEqual({
      ...{ published: 0, failed: 0, healed: 0, swept: 0, not_swept: 0, erased: 0, dropped: 0 },
      ...{ contact_batches_swept: 0, contacts_without_team: 0, parts_without_contact: 0 },
      ...{ quarantine_swept: 0, events_swept: 0, attempts_swept: 0, secrets_swept: 0 },
      ...{ streams_expired: 0, streams_deleted: 0 },
    });
  });

  test('contacts answers a request, and makes a pass at an event of the schedule', async () => {
    const { answer } = await invoke('contacts', get('/api/user/0'), stage.env);
    expect([answer?.statusCode, JSON.parse(answer?.body ?? '')]).toEqual([
      400,
      expect.objectContaining({ code: 'CONTACT.INVALID_JOB', message: 'Invalid job id' }),
    ]);
    expect((await invoke('contacts', { source: 'aws.events' }, stage.env)).answer).toEqual({ contacts: 0 });
  });

  test('pix hands out a message, with the way to the next one', async () => {
    await stage.sql(`SELECT pix_generate('32074986', 1)`);
    const { answer } = await invoke('pix', get('/api/pix/32074986/stream/start'), stage.env);
    const [stream] = await stage.sql<{ next: string }>('SELECT id || current_read AS next FROM pix_streams');
    const headers = { 'content-type': JSON_BODY, 'pull-next': `/api/pix/32074986/stream/${stream?.next}` };
    expect(answer).toMatchObject({ statusCode: 200, headers });
    const [message] = await stage.sql<{ id: string }>('SELECT end_to_end_id AS id FROM pix_messages');
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ endToEndId: message?.id });
  });

  test('webhooks makes one pass', async () => {
    expect((await invoke('webhooks', {}, stage.env)).answer).toEqual({ delivered: 0, failed: 0, dead: 0, void: 0 });
  });

  test('bill makes one pass', async () => {
    const { answer } = await invoke('bill', {}, stage.env);
    expect(answer).toMatchObject({ merged: 0, issued: 0, sent: 0, written_off: 0 });
  });

  test('ingest skips what is not an upload, and fails at an event that it cannot read', async () => {
    const record = (key: string) => ({ Records: [{ s3: { bucket: { name: 'b' }, object: { key } } }] });
    const env = { ...stage.env, UPLOAD_BUCKET: 'nobody-asks-it', AWS_REGION: 'sa-east-1' };
    expect((await invoke('ingest', record('uploads/abcdefghijklmnopqrstuvwx'), env)).answer).toEqual(['passed']);
    expect((await invoke('ingest', record('uploads/%zz'), env)).error).toEqual({
      name: 'URIError',
      message: 'URI malformed',
    });
  });
});

describe('without a .env', () => {
  /** They have the same handler. */
  const API = ['api', 'pix'];
  const { NODE_ENV: _, ...bare } = { NODE_ENV: '' };
  const unset = 'is not set; give a URL that begins with postgresql:// or postgres://, or run "npm run services"';

  test.each(API)('%s answers with a problem that hides what its log names', async (name) => {
    const { answer, log } = await invoke(name, get('/api/health'), bare);
    expect([answer?.statusCode, answer?.headers['content-type']]).toEqual([503, 'application/problem+json']);
    expect(answer?.body).not.toContain('DATABASE_URL');
    expect(log).toMatchObject([{ level: 50, variable: 'DATABASE_URL', msg: `DATABASE_URL: ${unset}` }]);
  });

  test('the others fail with the line that names the variable', async () => {
    const error = { name: 'ConfigurationError', message: `DATABASE_URL: ${unset}` };
    for (const name of functionNames().filter((each) => !API.includes(each)))
      expect([name, (await invoke(name, {}, bare)).error]).toEqual([name, error]);
  });

  test('there is no secret but the one that is given', async () => {
    const { JWT_SECRET: _, ...env } = stage.env;
    const { answer, log } = await invoke('api', get('/api/health'), env);
    expect([answer?.statusCode, log[0]?.variable]).toEqual([503, 'JWT_SECRET']);
  });
});
