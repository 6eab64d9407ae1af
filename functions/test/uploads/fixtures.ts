import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Created, S3Server } from '../../../services/s3/server.js';
import type { ApiStage, TestCompany, TestUser } from '../../../testing/api-stage.js';
import { someDebt } from '../billing/fixtures.js';
import { fileOf, lineOf } from '../billing/import-fixtures.js';

export const BUCKET = 'disparo-test';
const KEYS = { accessKeyId: 'test', secretAccessKey: 'a secret of the tests' };

const LINES = ['11987654321\nnope\n', '21987654321\nnope\n'] as const;
const DEBTS = [fileOf(lineOf(someDebt()), 'nope'), fileOf(lineOf(someDebt()), 'nope')] as const;
const COUNTS = {
  lines: 2,
  accepted: 1,
  duplicate: 0,
  invalid: 1,
  blank: 0,
  phone_column: 1,
  rejects_kept: 1,
  rejects: [{ line: 2, value: 'nope', reason: 'not_a_number' }],
};

/** What a file becomes: how an upload of it is asked for, and what is found of it afterwards. */
export interface Kind {
  route: string;
  body(company: TestCompany, size: number, fields?: Record<string, unknown>): Record<string, unknown>;
  /** Two files of one length: a good line and a wrong one each. */
  files: readonly [string, string];
  /** What the state of an upload says of such a file that became `id`. */
  accepted(id: string | undefined): Omit<UploadState, 'problem'>;
  /** What files of the company have become. */
  made(stage: ApiStage, company: TestCompany): Promise<{ id: string; deleted: boolean }[]>;
  /** Which of `files` was stored for the upload. */
  which(stage: ApiStage, uploadId: string): Promise<number>;
  /** Codes: for an empty file, and for one over the limit. */
  empty: string;
  tooLarge: string;
}

/** The kinds of uploads, by what their files become. */
export const KINDS: Record<'campaign' | 'import', Kind> = {
  campaign: {
    route: '/api/uploads',
    body: uploadOf,
    files: LINES,
    accepted: (id) => ({ status: 'aceito', campaign_id: id ?? null, import_id: null, file: COUNTS }),
    made: (stage, { id }) => stage.sql('SELECT id, deleted FROM campaigns WHERE company_id = $1', [id]),
    which: async (stage, id) => {
      const [row] = await stage.sql<{ phone_numbers: string }>(
        'SELECT phone_numbers FROM campaign_chunks k JOIN uploads u ON u.campaign_id = k.campaign_id WHERE u.id = $1',
        [id],
      );
      return LINES.findIndex((file) => row?.phone_numbers === `+55${file.slice(0, 11)}`);
    },
    empty: 'CAMPAIGN.FILE_EMPTY',
    tooLarge: 'CAMPAIGN.FILE_TOO_LARGE',
  },
  import: {
    route: '/api/billing/uploads',
    body: ({ id }, size, fields = {}) => ({ company_id: id, size, file_name: 'debts.csv', ...fields }),
    files: DEBTS,
    accepted: (id) => ({ status: 'aceito', campaign_id: null, import_id: id ?? null, file: null }),
    made: (stage, { id }) =>
      stage.sql(
        'SELECT i.id, b.deleted FROM billing_imports i JOIN billing_companies b USING (company_no) WHERE b.company_id = $1',
        [id],
      ),
    which: async (stage, id) => {
      const [row] = await stage.sql<{ sha256: Buffer }>(
        'SELECT sha256 FROM billing_imports i JOIN uploads u ON u.import_id = i.id WHERE u.id = $1',
        [id],
      );
      return DEBTS.findIndex((file) => row?.sha256.equals(createHash('sha256').update(file).digest()));
    },
    empty: 'BILLING.FILE_EMPTY',
    tooLarge: 'BILLING.FILE_TOO_LARGE',
  },
};

/** An upload as POST answers it. */
export interface UploadBody extends Record<string, unknown> {
  id: string;
  url: string;
  expires_at: string;
}

/** An upload as GET answers it. */
export interface UploadState {
  status: string;
  campaign_id: string | null;
  import_id: string | null;
  file: Record<string, unknown> | null;
  problem: { code?: string } | null;
}

/** The store of this clone's `npm start`, in a folder of its own. */
export class TestBucket {
  /** What has been written, in order. */
  readonly created: Created[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'disparo-s3-'));
  #server: S3Server | undefined;

  async open(): Promise<void> {
    const onCreated = (object: Created): void => {
      this.created.push(object);
    };
    const port = Number(new URL(this.#server?.url ?? 'http://store:0').port);
    this.#server = await S3Server.open({ folder: this.folder, bucket: BUCKET, keys: KEYS, onCreated, port });
  }

  /** Stops the store until open(), which uses the same address again. */
  async shut(): Promise<void> {
    await this.#server?.close();
  }

  /** The environment that tells the API of this bucket. */
  get env(): Record<string, string> {
    return {
      UPLOAD_BUCKET: BUCKET,
      S3_ENDPOINT: this.#server?.url ?? '',
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_REGION: 'sa-east-1',
    };
  }

  /** The file of an upload's object. */
  fileOf(uploadId: string): string {
    return join(this.folder, BUCKET, 'uploads', uploadId);
  }

  async close(): Promise<void> {
    await this.shut();
    rmSync(this.folder, { recursive: true });
  }
}

/** Sends a file to an upload's URL; returns the status and, of a refusal, its S3 code. */
export async function put(url: string, file: string | Uint8Array<ArrayBuffer>): Promise<[number, string | undefined]> {
  const response = await fetch(url, { method: 'PUT', body: file });
  const [, code] = /<Code>(\w+)<\/Code>/.exec(await response.text()) ?? [];
  return [response.status, code];
}

/** The body of POST /api/uploads for a file of `size` bytes; anything else by `fields`. */
export function uploadOf(
  company: TestCompany,
  size: number,
  fields: Record<string, unknown> = {},
): Record<string, unknown> {
  return { name: 'Black Friday', message: 'Hoje tudo pela metade.', company_id: company.id, size, ...fields };
}

/** The rows of a campaign of this stage, without the values that no two campaigns share. */
export async function campaignInRows(stage: ApiStage, id: string): Promise<unknown> {
  const campaign = await stage.sql(
    `SELECT name, message, company_id, user_id, total, partition, epoch, deleted, traceparent <> '' AS traced
       FROM campaigns WHERE id = $1`,
    [id],
  );
  const chunks = await stage.sql(
    `SELECT count(*)::int AS chunks, sum(size)::int AS numbers,
            md5(string_agg(first_sequence || ' ' || size || ' ' || phone_numbers, '|' ORDER BY first_sequence)) AS content
       FROM campaign_chunks WHERE campaign_id = $1`,
    [id],
  );
  const rejects = await stage.sql(
    'SELECT line, value, reason FROM campaign_rejects WHERE campaign_id = $1 ORDER BY line',
    [id],
  );
  return { campaign, chunks, rejects };
}

/** Asks for an upload of a file and sends it. Fails where either is refused. */
export async function sent(
  stage: ApiStage,
  user: TestUser,
  company: TestCompany,
  file: string,
  fields: Record<string, unknown> = {},
  kind: Kind = KINDS.campaign,
): Promise<UploadBody> {
  const body = kind.body(company, Buffer.byteLength(file), fields);
  const asked = await stage.api<UploadBody>('POST', kind.route, { token: user.token, body });
  if (asked.status !== 201) throw new Error(`no upload: ${asked.status} ${JSON.stringify(asked.body)}`);
  const [status, code] = await put(asked.body.url, file);
  if (status !== 200) throw new Error(`not sent: ${status} ${code}`);
  return asked.body;
}

/** The upload as it stands. */
export async function uploadState(stage: ApiStage, user: TestUser, id: string): Promise<UploadState> {
  const { status, body } = await stage.api<UploadState>('GET', `/api/uploads/${id}`, { token: user.token });
  if (status !== 200) throw new Error(`no upload: ${status} ${JSON.stringify(body)}`);
  return body;
}
