import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Memberships } from '../../accounts/companies/memberships.js';
import { AcceptCampaign, type Accepted, type NewCampaign } from '../../ledger/accept/accept-campaign.js';
import { EraseCampaigns } from '../../ledger/erase/erase-campaigns.js';
import { PublishCampaign } from '../../ledger/publish/publish-campaign.js';
import { type CampaignRow, viewOf } from '../../ledger/read/campaign-row.js';
import { LedgerReader } from '../../ledger/read/ledger-reader.js';
import { Config } from '../../platform/config.js';
import { Idempotency, type Made, type Repeatable } from '../../platform/idempotency.js';
import { Runtime } from '../../platform/runtime.js';
import type { Transaction } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { CampaignNotFound, IdempotencyKeyReused, requireNumbers } from '../campaigns.errors.js';
import { readRequest } from './read-request.js';

/** A function gets its request whole; the gateway takes 10 MiB at most. */
const FUNCTION_UPLOAD_MIB = 9;
const REFUSALS = { reused: () => new IdempotencyKeyReused(), gone: () => new CampaignNotFound() };

/** An answer of POST /api/campaigns: 201, or 200 when an Idempotency-Key brought back the first answer. */
interface Creation {
  status: 200 | 201;
  campaignId: string;
  /** JSON, the same bytes each time. */
  body: string;
}

/** Reads the request whole, accepts its campaign in one transaction, then publishes it. */
@Injectable()
export class CreateCampaign {
  readonly #limitMib: number;

  constructor(
    config: Config,
    runtime: Runtime,
    erasing: EraseCampaigns,
    private readonly memberships: Memberships,
    private readonly idempotency: Idempotency,
    private readonly accepting: AcceptCampaign,
    private readonly publishing: PublishCampaign,
    private readonly ledger: LedgerReader,
    private readonly log: Log,
  ) {
    this.#limitMib = runtime.kind === 'function' ? FUNCTION_UPLOAD_MIB : config.uploadLimitMib;
    // The stored answer holds the first rejects of the campaign's file.
    erasing.onErase((campaignId) => idempotency.forget(campaignId));
  }

  /**
   * Throws what readRequest throws, CompanyNotFound, FileEmpty, IdempotencyKeyReused, and CampaignNotFound where the first
   * answer of its key was erased meanwhile; then nothing is stored. Once it is stored, the campaign is accepted, whatever
   * happens to the broker.
   */
  async create(userId: string, request: FastifyRequest): Promise<Creation> {
    const { campaign, key, content } = await readRequest(userId, request, this.#limitMib);
    await this.memberships.requireMember(userId, campaign.companyId);
    requireNumbers(campaign.recipients);
    const repeatable = { scope: campaign.companyId, key, content };
    const once = await this.idempotency.once(repeatable, REFUSALS, (sql) => this.accept(sql, campaign));
    if (!once.isFirst) return creation(200, once.answer);
    await this.publishing.briefly(once.made.claim);
    return creation(201, await this.answerNow(campaign, once.made, repeatable));
  }

  private async accept(sql: Transaction, campaign: NewCampaign): Promise<Accepted & Made> {
    const accepted = await this.accepting.accept(sql, campaign);
    return { ...accepted, rowId: campaign.id, answer: answerOf(accepted.row, campaign) };
  }

  /**
   * The campaign as it is now; if it cannot be read, as it was at its commit. It is accepted, and a caller that is told
   * otherwise would send it again.
   */
  private async answerNow(campaign: NewCampaign, made: Accepted & Made, repeatable: Repeatable): Promise<string> {
    const { id, userId } = campaign;
    try {
      const row = (await this.ledger.find(userId, id)) ?? made.row;
      return await this.idempotency.finalAnswer(repeatable, answerOf(row, campaign));
    } catch (error) {
      this.log.warn({ campaign_id: id, err: error }, 'answered a campaign as it was at its commit');
      return made.answer;
    }
  }
}

function answerOf(row: CampaignRow, { recipients }: NewCampaign): string {
  return JSON.stringify({ ...viewOf(row), file: recipients.summary() });
}

function creation(status: Creation['status'], body: string): Creation {
  const { id: campaignId } = JSON.parse(body) as { id: string };
  return { status, campaignId, body };
}
