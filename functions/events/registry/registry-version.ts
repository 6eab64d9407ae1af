import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../platform/stores/postgres.js';
import { RegistryRepository } from './registry.repository.js';

/** For modules whose rows decide what is owed for an event: what stores events must see their changes. */
@Injectable()
export class RegistryVersion {
  constructor(private readonly repository: RegistryRepository) {}

  /** The last statement of a transaction. It waits for batches that are being stored. */
  raise(sql: Transaction): Promise<void> {
    return this.repository.raiseVersion(sql);
  }
}
