import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_CHUNK_NUMBERS } from '@disparo/contract';
import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import type { FastifyRequest } from 'fastify';
import { CompanyNotFound } from '../accounts/accounts.errors.js';
import { Memberships } from '../accounts/memberships.js';
import { Config } from '../platform/config.js';
import { Postgres, type Transaction } from '../platform/postgres.js';
import { ValidationProblem } from '../platform/problem.js';
import { Runtime } from '../platform/runtime.js';
import { CampaignNotFound, FileEmpty, type FileSummary, IdempotencyKeyReused } from './campaigns.errors.js';
import { CampaignsRepository, campaignOf, type SteeredRow } from './campaigns.repository.js';
import { type Claim, LedgerRepository } from './ledger.repository.js';
import { PublishCampaign } from './publish-campaign.js';
import { readUpload, type Upload } from './upload.js';

const FIRST_ANSWER_POLL_MS = 50;

/** A function gets its request whole; the gateway takes 10 MiB at most. */
const FUNCTION_UPLOAD_MIB = 9;

/** An answer of POST /api/campaigns: 201, or 200 when an Idempotency-Key brought back the first answer. */
export interface Creation {
  status: 200 | 201;
  campaignId: string;
  /** JSON, the same bytes each time. */
  body: string;
}

/** Accepts a campaign in one transaction, then publishes it. */
@Injectable()
export class CreateCampaign {
  constructor(
    private readonly config: Config,
    private readonly runtime: Runtime,
    private readonly postgres: Postgres,
    private readonly memberships: Memberships,
    private readonly ledger: LedgerRepository,
    private readonly campaigns: CampaignsRepository,
    private readonly publishing: PublishCampaign,
  ) {}

  /** Reads the request whole, then creates. Throws what readUpload and create throw. */
  async fromRequest(userId: string, request: FastifyRequest): Promise<Creation> {
    const key = idempotencyKey(request.headers['idempotency-key']);
    const limitMib = this.runtime.kind === 'function' ? FUNCTION_UPLOAD_MIB : this.config.uploadLimitMib;
    const upload = await readUpload(request, limitMib);
    return this.create(userId, upload, traceparent(request.headers.traceparent), key);
  }

  /**
   * Throws CompanyNotFound, FileEmpty, IdempotencyKeyReused; then nothing is stored. Once it is stored the campaign is
   * accepted, whatever happens to the broker.
   */
  async create(userId: string, upload: Upload, traceparent: string, key?: string): Promise<Creation> {
    await this.memberships.requireMember(userId, upload.companyId);
    const { recipients } = upload;
    const file: FileSummary = { ...recipients.counts, rejects: recipients.firstRejects() };
    if (file.accepted === 0) throw new FileEmpty(file);

    const id = createId();
    const claim = await this.postgres.transaction(async (sql) => {
      if (key !== undefined && !(await this.isFirst(sql, upload, key))) return undefined;
      return this.accept(sql, { id, userId, upload, file, traceparent, ...(key !== undefined && { key }) });
    });
    if (!claim) return this.firstAnswer(upload.companyId, key ?? '');

    await this.publishing.briefly(claim);
    const body = answer(await this.read(userId, id), file);
    const kept = key === undefined ? undefined : await this.ledger.finalAnswer(upload.companyId, key, body);
    return { status: 201, campaignId: id, body: kept ?? body };
  }

  /** Waits for a concurrent request with the same key. False: another one came first, with the same content. */
  private async isFirst(sql: Transaction, upload: Upload, key: string): Promise<boolean> {
    await this.ledger.lockKey(sql, upload.companyId, key);
    const kept = await this.ledger.keptAnswer(sql, upload.companyId, key);
    if (kept && !kept.content.equals(upload.content)) throw new IdempotencyKeyReused();
    return kept === undefined;
  }

  private async accept(sql: Transaction, { id, userId, upload, file, traceparent, key }: Acceptance): Promise<Claim> {
    const { name, message, companyId, recipients } = upload;
    const total = file.accepted;
    const partition = partitionOf(id, this.config.queuePartitions);
    const campaign = { id, name, message, companyId, userId, partition, total, traceparent };
    const claim = await this.ledger.insertCampaign(sql, campaign);
    if (!claim) throw new CompanyNotFound();
    const size = chunkSize(total, this.config.campaignQueueSlots);
    await this.ledger.insertChunks(sql, id, recipients.chunks(size));
    if (file.invalid > 0) await this.ledger.insertRejects(sql, id, recipients.rejects());
    if (key === undefined) return claim;
    const row = await this.campaigns.find(userId, id, sql);
    if (!row) throw new CampaignNotFound();
    await this.ledger.keepAnswer(sql, {
      companyId,
      key,
      content: upload.content,
      campaignId: id,
      answer: answer(row, file),
    });
    return claim;
  }

  /** The first request may still be publishing, or may have died after its commit: then the answer of the commit stands. */
  private async firstAnswer(companyId: string, key: string): Promise<Creation> {
    for (;;) {
      const kept = await this.ledger.keptAnswer(this.postgres, companyId, key);
      if (!kept) throw new CampaignNotFound();
      if (kept.final || kept.overdue) {
        const body = kept.final ? kept.answer : ((await this.ledger.finalAnswer(companyId, key)) ?? kept.answer);
        return { status: 200, campaignId: (JSON.parse(body) as { id: string }).id, body };
      }
      await delay(FIRST_ANSWER_POLL_MS);
    }
  }

  private async read(userId: string, id: string): Promise<SteeredRow> {
    const row = await this.campaigns.find(userId, id);
    if (!row) throw new CampaignNotFound();
    return row;
  }
}

interface Acceptance {
  id: string;
  userId: string;
  upload: Upload;
  file: FileSummary;
  traceparent: string;
  key?: string;
}

function answer(row: SteeredRow, file: FileSummary): string {
  return JSON.stringify({ ...campaignOf(row), file });
}

/** Numbers in one queue message: a campaign takes at most `slots` of them, unless one would hold over 5,000 numbers. */
export function chunkSize(total: number, slots: number): number {
  return Math.min(Math.max(Math.ceil(total / slots), 1), MAX_CHUNK_NUMBERS);
}

/** The partition of a campaign: the same for ever, and spread evenly. */
export function partitionOf(campaignId: string, partitions: number): number {
  return createHash('sha256').update(campaignId).digest().readUInt32BE() % partitions;
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x20-\x7e]{1,255}$/.test(header) && header.trim() !== '') return header;
  throw new ValidationProblem([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
}

/** The caller's W3C Trace Context, or a new one: https://www.w3.org/TR/trace-context/ */
function traceparent(header: unknown): string {
  if (typeof header === 'string' && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(header))
    return header;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
