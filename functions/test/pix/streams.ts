import { randomBytes } from 'node:crypto';
import type { ApiStage } from '../../../testing/api-stage.js';
import { RawClient } from '../../../testing/raw-client.js';

/** What a collector sees of an answer. */
export interface Polled {
  status: number;
  /** Pull-Next. */
  next: string | undefined;
  /** The endToEndId of each message, in their order. */
  ids: string[];
  /** Of an error. */
  code: string | undefined;
  headers: Headers;
  text: string;
  /** By which the log has it. */
  trace: string;
}

/** From the arrival of a request until its client has an answer, and what a machine may add that has other work. */
export const MOST_MS = 8_000 + 500;

let ispbs = 10_000_000;
let messages = 0;

/** An ISPB that no other test uses. */
export function someIspb(): string {
  return String(ispbs++);
}

/** Where a stream of this ISPB is started. */
export function startOf(ispb: string): string {
  return `/api/pix/${ispb}/stream/start`;
}

/** Stores messages that wait, as whoever receives them will do, and wakes polls. Returns their endToEndIds. */
export async function store(stage: Pick<ApiStage, 'sql'>, ispb: string, count = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `E00038166202611241200m${String(messages++).padStart(10, '0')}`);
  await stage.sql(
    `WITH made AS (
       INSERT INTO pix_messages (ispb, end_to_end_id, amount, payer_name, payer_document, payer_ispb, payer_branch,
         payer_account, payer_account_type, receiver_name, receiver_document, receiver_branch, receiver_account,
         receiver_account_type, free_text, tx_id, paid_at)
       SELECT $1, id, 90.20, 'Ana Gomes', '52998224725', '00038166', '0361', '1210098', 'CACC', 'João "Jota" Lima',
         '11144477735', '0002', '0000042', 'SVGS', 'obrigado', 'tx' || n, '2026-11-24T12:00:00.123Z'
         FROM unnest($2::text[]) WITH ORDINALITY AS each (id, n) ORDER BY n
       RETURNING id),
     waits AS (INSERT INTO pix_waiting SELECT $1, id FROM made)
     SELECT pg_notify('pix_waiting', $1)`,
    [ispb, ids],
  );
  return ids;
}

/** Opens a stream without a message by its row, as if its start had been answered. Returns its path. */
export async function openStream(stage: ApiStage, ispb: string, slot = 1, read = 'aaaa'): Promise<string> {
  const id = `${ispb.slice(2)}s${slot}`;
  await stage.sql(
    `INSERT INTO pix_streams (id, ispb, slot, current_read, expires_at) VALUES ($1, $2, $3, $4, now() + interval '68 s')`,
    [id, ispb, slot, read],
  );
  return `/api/pix/${ispb}/stream/${id}${read}`;
}

const MANY = { accept: 'multipart/json' };

/** Sends a request of a collector. */
export async function ask(
  stage: ApiStage,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Polled> {
  const trace = randomBytes(16).toString('hex');
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
  const response = await fetch(stage.url + path, { method, headers: { ...headers, traceparent } });
  const text = await response.text();
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  const found = response.status === 200 && method === 'GET' ? [body].flat() : [];
  return {
    status: response.status,
    next: response.headers.get('pull-next') ?? undefined,
    ids: found.map((message) => (message as { endToEndId: string }).endToEndId),
    code: (body as { code?: string } | undefined)?.code,
    headers: response.headers,
    text,
    trace,
  };
}

/** A GET that takes one message. */
export function one(stage: ApiStage, path = ''): Promise<Polled> {
  return ask(stage, 'GET', path);
}

/** A GET that takes up to ten. */
export function many(stage: ApiStage, path = ''): Promise<Polled> {
  return ask(stage, 'GET', path, MANY);
}

/** What a client sees of an answer that refuses it. */
export function refusal({ status, code, next, headers }: Polled) {
  return { status, code, next, retry: headers.get('retry-after') };
}

/** What `refusal` returns of an answer that refuses: no Pull-Next, whatever it says. */
export const refused = (status: number, code: string, retry: string | null = null) => ({
  status,
  code,
  next: undefined,
  retry,
});

/** The refusal while PostgreSQL does not answer. */
export const UNAVAILABLE = refused(503, 'SERVICE_UNAVAILABLE', '5');

/** GETs on a socket of their own, the later ones sent before the first is answered; the answers are in `received`. */
export function rawGet(stage: ApiStage, ...paths: (string | undefined)[]): RawClient {
  const client = RawClient.to(stage.url);
  const gets = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: multipart/json\r\n\r\n`);
  client.socket.write(gets.join(''));
  return client;
}

/** Where each message of an ISPB is, in the order of insertion: one of `waiting`, `in flight`, `delivered`, unless a rule is broken. */
export async function places(stage: ApiStage, ispb: string): Promise<string[]> {
  const found = await stage.sql<{ place: string }>(
    `SELECT concat_ws(', ',
       (SELECT 'waiting' FROM pix_waiting w WHERE w.message_id = m.id),
       (SELECT string_agg('in flight', ', ') FROM pix_streams s WHERE m.id = ANY (s.batch)),
       (SELECT 'delivered' FROM pix_deliveries d WHERE d.message_id = m.id)) AS place
       FROM pix_messages m WHERE ispb = $1 ORDER BY m.id`,
    [ispb],
  );
  return found.map(({ place }) => place);
}

/** The state of each stream of an ISPB, in the order of its opening: `open` or who closed it. */
export async function states(stage: ApiStage, ispb: string): Promise<string[]> {
  const found = await stage.sql<{ state: string }>(
    `SELECT coalesce(closed_by, 'open') AS state FROM pix_streams WHERE ispb = $1 ORDER BY opened_at`,
    [ispb],
  );
  return found.map(({ state }) => state);
}

/** Makes the streams of an ISPB overdue. */
export async function overdue(stage: ApiStage, ispb: string): Promise<void> {
  await stage.sql(`UPDATE pix_streams SET expires_at = now() - interval '1 s' WHERE ispb = $1 AND closed_at IS NULL`, [
    ispb,
  ]);
}

/** A number that the process counts. */
export async function metric(stage: ApiStage, name: string): Promise<number> {
  const text = await (await fetch(`${stage.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** A stream without a message, and the answer of a poll on it that has read and waits. */
export async function waiting(
  stage: ApiStage,
  ispb: string,
  process = stage,
): Promise<{ path: string; answer: Promise<Polled> }> {
  const path = await openStream(stage, ispb);
  // A first read renews it; no later one does before its time is over.
  await stage.sql(`UPDATE pix_streams SET expires_at = now() + interval '5 s' WHERE ispb = $1`, [ispb]);
  const answer = many(process, path);
  const sql = `SELECT FROM pix_streams WHERE ispb = $1 AND expires_at > now() + interval '60 s'`;
  await stage.until(async () => (await stage.sql(sql, [ispb])).length === 1, 'it has read');
  return { path, answer };
}

/** Waits until so many polls are under way in this process. */
export async function untilPolls(stage: ApiStage, count: number, withinMs?: number): Promise<void> {
  await stage.until(async () => (await metric(stage, 'disparo_pix_polls')) === count, `${count} polls`, withinMs);
}

/** How long the process took to answer, from the arrival of the request, by its log: what the machine adds to it is not ours. */
export async function servedMs(stage: ApiStage, { trace }: Polled): Promise<number> {
  const line = await stage.until(
    () => stage.output.find((each) => each.includes(trace) && each.includes('"answered"')),
    'it is logged',
  );
  return (JSON.parse(line) as { duration_ms: number }).duration_ms;
}
