import { Injectable } from '@nestjs/common';
import { createId } from '@paralleldrive/cuid2';
import { shownValue } from '../../platform/shown-text.js';
import type { Transaction } from '../../platform/stores/postgres.js';
import { Log } from '../../platform/telemetry/log.js';
import { BillingCompanies } from '../billing-companies.js';
import { SettingsRepository } from '../settings/settings.repository.js';
import { BillingMeter } from '../upkeep/billing-meter.js';
import { ZONE } from '../zone.js';
import { dayOf } from './file/fields.js';
import { readDebts } from './file/reading.js';
import { ImportsRepository, type NewImport } from './imports.repository.js';
import { Places } from './places.js';

/** A file on its way in, and who sends it. The user was a member of the company a moment ago. */
export interface FileOfDebts {
  userId: string;
  companyId: string;
  /** As the sender names it. */
  fileName: string | null;
  bytes: AsyncIterable<Uint8Array>;
}

/** Files that this process accepts at once: each keeps a connection while it is read. */
const ACCEPTS = 3;
const PATIENCE_MS = 5_000;
const FILE_NAME_UNITS = 255;
/** The date in Brasília; the sv locale writes YYYY-MM-DD. */
const TODAY = new Intl.DateTimeFormat('sv', { timeZone: ZONE, dateStyle: 'short' });

/** The name of a file as it is kept: what cannot be seen is escaped, and what is too long is cut. None is null. */
export function shownFileName(name: string): string | null {
  return shownValue(name, FILE_NAME_UNITS) || null;
}

/** Accepts a file whole or not at all. */
@Injectable()
export class AcceptImport {
  readonly #places = new Places(ACCEPTS, PATIENCE_MS, 'too many files are accepted now');

  constructor(
    private readonly companies: BillingCompanies,
    private readonly settings: SettingsRepository,
    private readonly imports: ImportsRepository,
    private readonly meter: BillingMeter,
    private readonly log: Log,
  ) {}

  /** Runs `work`, whose transaction accepts a file, once there is a place for it. Throws ServiceUnavailable after five seconds. */
  inPlace<T>(work: () => Promise<T>): Promise<T> {
    return this.#places.run(work);
  }

  /**
   * Writes the import into the caller's transaction: its chunks of valid lines and its rejects as the file is read, and its own
   * row last, when its counts are known. Throws FileEmpty, HeaderInvalid, FileNotText, TooManyRejects, CompanyNotFound; then
   * nothing may be committed.
   */
  async accept(sql: Transaction, { userId, companyId, fileName, bytes }: FileOfDebts): Promise<NewImport> {
    const { documents } = await this.settings.current(companyId, sql);
    const rules = { today: dayOf(TODAY.format()), strict: documents === 'strict' };
    const importNo = await this.imports.nextNumber(sql);
    const counts = await readDebts(bytes, rules, {
      chunk: (chunk) => this.imports.insertChunk(sql, importNo, chunk),
      rejects: (rejects) => this.imports.insertRejects(sql, importNo, rejects),
    });
    // guard: a company or a membership that is gone by now gets no import. After the file, since whoever deletes the company waits
    // from here to the commit; and before the import's row, without which nothing above can be committed.
    const companyNo = await this.companies.hold(sql, userId, companyId);
    const made = { importNo, id: createId(), companyNo, userId, fileName, ...counts };
    await this.imports.insertImport(sql, made);
    return made;
  }

  /** Counts and logs an import, once it is committed. */
  committed(companyId: string, { importNo, id, lines, accepted, rejected, bytes }: NewImport): void {
    this.meter.lines('rejected', rejected);
    this.log.info(
      { company_id: companyId, import_id: id, import_no: importNo, lines, accepted, rejected, bytes },
      'an import is accepted',
    );
  }
}
