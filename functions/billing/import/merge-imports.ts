import { Injectable } from '@nestjs/common';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Log } from '../../platform/telemetry/log.js';
import { BillingMeter } from '../upkeep/billing-meter.js';
import { ImportsRepository } from './imports.repository.js';
import { Places } from './places.js';

/** Merges that this process runs at once: each keeps a connection, and PostgreSQL's disk is one. */
const MERGES = 2;
/** For ever, as timers go: a merge that waits does no harm, and the file is accepted. */
const PATIENCE_MS = 2 ** 31 - 1;

/**
 * Turns the lines of accepted imports into debts, chunk by chunk, each in a transaction of its own. May run in several
 * processes at once and end anywhere: a chunk is merged or it is not, and its row says so.
 */
@Injectable()
export class MergeImports {
  readonly #places = new Places(MERGES, PATIENCE_MS, 'too many files are merged now');

  constructor(
    private readonly imports: ImportsRepository,
    private readonly meter: BillingMeter,
    private readonly log: Log,
  ) {}

  /**
   * Merges all that waits, the oldest import first. Ends soon after `stop` aborts. Returns how many chunks it merged. An import
   * that cannot be merged does not stop the others: it is logged, and tried again by the next pass. Throws ServiceUnavailable.
   */
  async pass(stop: AbortSignal): Promise<number> {
    let merged = 0;
    for (const importNo of await this.imports.unmerged()) {
      if (stop.aborted) break;
      try {
        merged += await this.mergeImport(importNo, stop);
      } catch (err) {
        if (err instanceof ServiceUnavailable) throw err;
        this.log.error({ import_no: importNo, err }, 'an import cannot be merged; it is tried again');
      }
    }
    return merged;
  }

  /** Merges one import. Ends after the current chunk once `stop` aborts. Returns how many chunks it merged. */
  mergeImport(importNo: number, stop: AbortSignal): Promise<number> {
    return this.#places.run(async () => {
      const begun = performance.now();
      let merged = 0;
      while (!stop.aborted) {
        const chunk = await this.imports.mergeChunk(importNo);
        if (!chunk) break;
        merged += 1;
        for (const outcome of ['created', 'repeated', 'conflicting'] as const)
          this.meter.lines(outcome, chunk[outcome]);
      }
      if (merged > 0)
        this.log.info(
          { import_no: importNo, chunks: merged, merge_ms: Math.round(performance.now() - begun) },
          'chunks of an import were merged',
        );
      return merged;
    });
  }
}
