import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { requiredRow } from '../../platform/stores/rows.js';

/** The statements on streams that no collector waits for. */
@Injectable()
export class PixUpkeepRepository {
  constructor(private readonly postgres: Postgres) {}

  /** Ends what is overdue. Returns how many streams. */
  async expire(): Promise<number> {
    return requiredRow(await this.postgres.one<{ ended: number }>('SELECT pix_expire(NULL) AS ended')).ended;
  }

  /** Returns how many streams are gone: their tokens are found no more. */
  async deleteClosed(): Promise<number> {
    const gone = await this.postgres.query(
      `DELETE FROM pix_streams WHERE closed_at < now() - interval '7 days' RETURNING id`,
    );
    return gone.length;
  }
}
