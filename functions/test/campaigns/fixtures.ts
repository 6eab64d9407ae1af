import { expect } from 'vitest';
import type { Answer, ApiStage, Ask, TestCompany, TestUser } from '../../../testing/api-stage.js';
import type { Process } from '../../../testing/process.js';

export const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const ID = expect.stringMatching(/^[a-z][0-9a-z]{23}$/);
/** Long enough for a machine that runs two test files at once. */
export const PATIENCE_MS = 60_000;

/** Five numbers as people write them. */
export const FIVE = ['+55 11 98765-4321', '(21) 99876-5432', '31987651234', '5541988887777', '085 99123-4567'];
/** A message with quotes, a newline, a tab and a character outside the BMP. */
export const MESSAGE = 'Olá "você",\n\tsó hoje 🎉';

/** A campaign as the HTTP contract has it. */
export interface CampaignBody extends Record<string, unknown> {
  id: string;
  status: string;
  total: number;
  published: number;
  stored: number;
  percent: number;
  file: Record<string, unknown>;
}

/** `count` different Brazilian mobile numbers as they are stored, in order. */
export function someNumbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `+55119${String(20_000_000 + from + index)}`);
}

/** A multipart form whose parts come in the order given. A `file` goes out as a file, everything else as a field. */
export function form(parts: [name: string, value: string | Uint8Array<ArrayBuffer>][]): FormData {
  const body = new FormData();
  for (const [name, value] of parts) {
    if (name === 'file') body.append(name, new Blob([value]), 'numbers.txt');
    else body.append(name, String(value));
  }
  return body;
}

/** The fields that a form needs as well as its file. */
export function fieldsOf(company: TestCompany): [string, string][] {
  return [
    ['name', 'Black Friday'],
    ['message', MESSAGE],
    ['company_id', company.id],
  ];
}

/** Sends any body to the route that creates campaigns. */
export function create(
  stage: ApiStage,
  user: TestUser,
  body: FormData | object | string,
  headers: Record<string, string> = {},
): Promise<Answer<CampaignBody>> {
  return as(stage, user)<CampaignBody>('POST', '/api/campaigns', { body, headers });
}

/** Uploads a file of `lines` for a company; anything else in the form by `fields`. */
export function upload(
  stage: ApiStage,
  user: TestUser,
  company: TestCompany,
  lines: string[] | string,
  { fields = {}, headers = {} }: { fields?: Record<string, string>; headers?: Record<string, string> } = {},
): Promise<Answer<CampaignBody>> {
  const file = typeof lines === 'string' ? lines : `${lines.join('\n')}\n`;
  const given = { name: 'Black Friday', message: 'Hoje tudo pela metade.', company_id: company.id, ...fields };
  return stage.api('POST', '/api/campaigns', {
    token: user.token,
    body: form([...Object.entries(given), ['file', file]]),
    headers,
  });
}

/** An accepted campaign; fails with the answer when it was not. */
export async function accepted(...given: Parameters<typeof upload>): Promise<CampaignBody> {
  const { status, body } = await upload(...given);
  if (status !== 201) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** The campaign as it stands. */
export async function campaign(stage: ApiStage, user: TestUser, id: string): Promise<CampaignBody> {
  const { status, body } = await stage.api<CampaignBody>('GET', `/api/campaigns/${id}`, { token: user.token });
  if (status !== 200) throw new Error(`no campaign: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Waits until the campaign has a status, and returns it. */
export async function untilStatus(stage: ApiStage, user: TestUser, id: string, status: string): Promise<CampaignBody> {
  let last: CampaignBody | undefined;
  try {
    return await stage.until(
      async () => {
        last = await campaign(stage, user, id);
        return last.status === status ? last : undefined;
      },
      `campaign ${id} is ${status}`,
      PATIENCE_MS,
    );
  } catch (error) {
    throw new Error(`${String(error)}\nthe campaign: ${JSON.stringify(last)}`);
  }
}

/** The stored numbers of a campaign, by `_id`, with a check that sequence and `_id` agree. */
export async function storedNumbers(stage: ApiStage, id: string): Promise<string[]> {
  const documents = await stage.mongo
    .collection<{ _id: string; sequence: number; phone_number: string }>('messages')
    .find({ campaign_id: id })
    .sort({ _id: 1 })
    .toArray();
  const misplaced = documents.filter(
    ({ _id, sequence }, index) => _id !== `${id}:${String(sequence).padStart(9, '0')}` || sequence !== index + 1,
  );
  expect(misplaced).toEqual([]);
  return documents.map(({ phone_number }) => phone_number);
}

/** A caller that is bound to one user. */
export function as(stage: ApiStage, user: TestUser) {
  return <T = Record<string, unknown>>(method: string, path: string, ask: Ask = {}): Promise<Answer<T>> =>
    stage.api<T>(method, path, { token: user.token, ...ask });
}

/** Status and code of a refusal, which must be a problem document. */
export function refusal({ status, headers, body }: Answer<object>): [number, unknown] {
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ type: 'about:blank', title: expect.any(String), status, detail: expect.any(String) });
  return [status, (body as { code?: unknown }).code];
}

/** Row counts of every table that a campaign is stored in. */
export async function rowsStored(stage: ApiStage): Promise<Record<string, unknown>> {
  const [row] = await stage.sql(
    `SELECT (SELECT count(*)::int FROM campaigns) AS campaigns, (SELECT count(*)::int FROM campaign_chunks) AS chunks,
            (SELECT count(*)::int FROM campaign_rejects) AS rejects, (SELECT count(*)::int FROM idempotency_keys) AS keys`,
  );
  return row ?? {};
}

/** `npm run <command>` as a real process on the stores of a stage. `ended`: its exit code and all that it printed. */
export function started(
  stage: ApiStage,
  command: string,
  args: string[] = [],
  env: Record<string, string> = {},
): { process: Process; ended: Promise<[code: number | null, output: string]> } {
  const process = stage.script('command', [command, ...args], env);
  return { process, ended: process.exited.then((code) => [code, process.everything]) };
}

/** The same, to its end. */
export function ran(...given: Parameters<typeof started>): Promise<[code: number | null, output: string]> {
  return started(...given).ended;
}
