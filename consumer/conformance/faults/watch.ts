import { setTimeout as delay } from 'node:timers/promises';
import { messageRange } from '@disparo/contract';
import { unlessOutage } from './outage.js';
import type { System } from './system.js';

const POLL_MS = 200;

interface Seen {
  id: string;
  name: string;
  status: string;
  stored: number;
}

/** Looks at the ledger and the store during the faults. A wrong state that heals before the end still counts. */
export class Watch {
  readonly contradictions: string[] = [];
  /** How often it has looked. While services are down it cannot. */
  looks = 0;
  /** Rejects with the first error that no outage explains. Never resolves. */
  readonly failed: Promise<never>;
  readonly #last = new Map<string, Seen>();

  /** Looks until the system is closed. */
  constructor(private readonly system: System) {
    this.failed = new Promise((_, reject) => void this.run().catch(reject));
  }

  /** How many numbers of all campaigns were stored by the ledger at the last look. */
  get stored(): number {
    return [...this.#last.values()].reduce((sum, { stored }) => sum + stored, 0);
  }

  private async run(): Promise<void> {
    while (!this.system.over.aborted) {
      await this.look().catch((error: unknown) => this.system.over.aborted || unlessOutage(error));
      await delay(POLL_MS);
    }
  }

  private async look(): Promise<void> {
    const { rows } = await this.system.pool.query<Seen>('SELECT id, name, status, stored FROM campaigns');
    for (const now of rows) {
      const before = this.#last.get(now.id);
      if (before?.status === 'enviado' && now.status === 'enviado') continue;
      this.#last.set(now.id, now);
      if (before?.status === 'enviado') this.contradictions.push(`${now.name}: was enviado and is ${now.status}`);
      if (before && now.stored < before.stored)
        this.contradictions.push(`${now.name}: ${before.stored} were stored, now ${now.stored}`);
      // The ledger was asked first, so the documents of all that it counts as stored must exist.
      const documents = await this.system.messages.countDocuments({ _id: messageRange(now.id) });
      if (documents < now.stored)
        this.contradictions.push(`${now.name}: the ledger has ${now.stored} as stored, and there are ${documents}`);
    }
    this.looks++;
  }
}
