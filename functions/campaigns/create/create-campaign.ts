import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import type { FastifyRequest } from 'fastify';
import { Memberships } from '../../accounts/companies/memberships.js';
import { PublishCampaign } from '../../ledger/publish/publish-campaign.js';
import { CampaignsRepository, campaignOf, type SteeredRow } from '../../ledger/steer/steering.js';
import { Chores } from '../../platform/chores.js';
import { Config } from '../../platform/config.js';
import { IdempotencyRepository } from '../../platform/idempotency.js';
import { ValidationProblem } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import { Postgres, type Transaction } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { AcceptCampaign, type Accepted, summaryOf } from '../accept/accept-campaign.js';
import { CampaignNotFound, type FileSummary, IdempotencyKeyReused } from '../campaigns.errors.js';
import { readUpload, type Upload } from './read-request.js';

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
    private readonly idempotency: IdempotencyRepository,
    private readonly campaigns: CampaignsRepository,
    private readonly accepting: AcceptCampaign,
    private readonly publishing: PublishCampaign,
    private readonly log: Log,
    chores: Chores,
  ) {
    chores.add('dropping old idempotency keys', () => this.idempotency.dropOldKeys());
  }

  /** Reads the request whole, then creates. Throws what readUpload and create throw. */
  async fromRequest(userId: string, request: FastifyRequest): Promise<Creation> {
    const key = idempotencyKey(request.headers['idempotency-key']);
    const limitMib = this.runtime.kind === 'function' ? FUNCTION_UPLOAD_MIB : this.config.uploadLimitMib;
    const upload = await readUpload(request, limitMib);
    request.companyId = upload.companyId;
    return this.create(userId, upload, request.traceparent, key);
  }

  /**
   * Throws CompanyNotFound, FileEmpty, IdempotencyKeyReused; then nothing is stored. Once it is stored the campaign is
   * accepted, whatever happens to the broker.
   */
  async create(userId: string, upload: Upload, traceparent: string, key?: string): Promise<Creation> {
    await this.memberships.requireMember(userId, upload.companyId);
    const file = summaryOf(upload.recipients);
    const id = createId();
    const accepted = await this.acceptOnce({
      id,
      userId,
      upload,
      file,
      traceparent,
      ...(key !== undefined && { key }),
    });
    if (accepted === 'repeated') return this.firstAnswer(upload.companyId, key ?? '');

    await this.publishing.briefly(accepted.claim);
    const body = await this.answerNow(accepted.row, file, key).catch((error: unknown) => {
      // It is accepted, and whoever hears otherwise sends it again.
      this.log.warn({ campaign_id: id, err: error }, 'answered a campaign as it was at its commit');
      return answer(accepted.row, file);
    });
    return { status: 201, campaignId: id, body };
  }

  /** The campaign as it stands now; the answer of the commit where it went meanwhile. */
  private async answerNow(accepted: SteeredRow, file: FileSummary, key?: string): Promise<string> {
    const { id, user_id, company_id } = accepted;
    const body = answer((await this.campaigns.find(user_id, id)) ?? accepted, file);
    return key === undefined ? body : ((await this.idempotency.finalAnswer(company_id, key, body)) ?? body);
  }

  /** A concurrent request with the same key is waited for, without holding a connection. */
  private async acceptOnce(acceptance: Acceptance): Promise<Accepted | 'repeated'> {
    for (;;) {
      const outcome = await this.postgres.transaction(async (sql) => {
        const found = await this.lookUpKey(sql, acceptance);
        return found ?? this.accept(sql, acceptance);
      });
      if (outcome !== 'busy') return outcome;
      await delay(FIRST_ANSWER_POLL_MS);
    }
  }

  /** Undefined: there is no key, or it is new and held until the transaction ends. */
  private async lookUpKey(sql: Transaction, { upload, key }: Acceptance): Promise<'busy' | 'repeated' | undefined> {
    if (key === undefined) return undefined;
    if (!(await this.idempotency.tryLockKey(sql, upload.companyId, key))) return 'busy';
    const kept = await this.idempotency.keptAnswer(sql, upload.companyId, key);
    if (kept && !kept.content.equals(upload.content)) throw new IdempotencyKeyReused();
    return kept && 'repeated';
  }

  private async accept(sql: Transaction, acceptance: Acceptance): Promise<Accepted> {
    const { id, userId, upload, file, traceparent, key } = acceptance;
    const { content, ...fields } = upload;
    const accepted = await this.accepting.accept(sql, { ...fields, id, userId, file, traceparent });
    if (key !== undefined) {
      const kept = { companyId: upload.companyId, key, content, campaignId: id, answer: answer(accepted.row, file) };
      await this.idempotency.keepAnswer(sql, kept);
    }
    return accepted;
  }

  /** The first request may still be publishing, or may have died after its commit: then the answer of the commit stands. */
  private async firstAnswer(companyId: string, key: string): Promise<Creation> {
    for (;;) {
      const kept = await this.idempotency.keptAnswer(this.postgres, companyId, key);
      if (!kept) throw new CampaignNotFound();
      if (kept.final || kept.overdue) {
        const body = kept.final ? kept.answer : ((await this.idempotency.finalAnswer(companyId, key)) ?? kept.answer);
        return { status: 200, campaignId: (JSON.parse(body) as { id: string }).id, body };
      }
      await delay(FIRST_ANSWER_POLL_MS);
    }
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

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x20-\x7e]{1,255}$/.test(header) && header.trim() !== '') return header;
  throw new ValidationProblem([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
}
