import { Injectable } from '@nestjs/common';
import { EraseCampaigns } from '../ledger/erase/erase-campaigns.js';
import { Postgres } from '../platform/stores/postgres.js';
import { digitsOf, numberPattern } from '../retention/number-pattern.js';
import { count, Retention } from '../retention/retention.js';

const WITHOUT_REJECTS = `file = CASE WHEN file ? 'rejects' THEN jsonb_set(file, '{rejects}', '[]') ELSE file END,
  refusal = CASE WHEN refusal #> '{file,rejects}' IS NOT NULL THEN jsonb_set(refusal, '{file,rejects}', '[]') ELSE refusal END`;
const REJECTS_SHOWN = `coalesce(file -> 'rejects', '[]') || coalesce(refusal #> '{file,rejects}', '[]')`;

/**
 * Deletes the first rejects of a file, which its upload shows: with those of its campaign; by age, where it became no
 * campaign.
 */
@Injectable()
export class ForgetRejects {
  constructor(
    private readonly postgres: Postgres,
    erasing: EraseCampaigns,
    retention: Retention,
  ) {
    erasing.onErase((campaignId) => this.dropOfCampaign(campaignId));
    retention.onErase(async (days, { dryRun }) => {
      const refused = dryRun ? 0 : await this.dropRefused(days);
      return { gone: refused > 0 ? [`the rejects of ${count(refused)} refused uploads`] : [] };
    });
    retention.onForget('phone-number', async (phoneNumber, { dryRun }) => {
      if (!dryRun) await this.dropLike(numberPattern(phoneNumber));
      return { gone: [] };
    });
  }

  private async dropOfCampaign(campaignId: string): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET ${WITHOUT_REJECTS} WHERE campaign_id = $1 AND ${REJECTS_SHOWN} <> '[]'`,
      [campaignId],
    );
  }

  /** Returns how many uploads lost their rejects. */
  private async dropRefused(days: number): Promise<number> {
    const changed = await this.postgres.query(
      `UPDATE uploads SET ${WITHOUT_REJECTS}
        WHERE campaign_id IS NULL AND updated_at < clock_timestamp() - make_interval(days => $1)
          AND ${REJECTS_SHOWN} <> '[]' RETURNING id`,
      [days],
    );
    return changed.length;
  }

  private async dropLike(pattern: string): Promise<void> {
    await this.postgres.query(
      `UPDATE uploads SET ${WITHOUT_REJECTS}
        WHERE EXISTS (SELECT FROM jsonb_array_elements(${REJECTS_SHOWN}) AS shown
                       WHERE ${digitsOf("shown ->> 'value'")} ~ $1)`,
      [pattern],
    );
  }
}
