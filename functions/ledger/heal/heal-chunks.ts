import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { Config } from '../../platform/config.js';
import { Broker } from '../../platform/stores/rabbitmq.js';
import { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import { HealingRepository } from './healing.repository.js';

/**
 * R7: puts chunks back into the outbox that reached the queue and are still not stored long after: purged, dropped by a
 * policy, or lost with a broker. A chunk that was not lost after all goes out twice, and its second copy is let go.
 */
@Injectable()
export class HealChunks {
  private readonly healed: Counter;

  constructor(
    private readonly healing: HealingRepository,
    private readonly broker: Broker,
    private readonly config: Config,
    private readonly log: Log,
    metrics: Metrics,
  ) {
    this.healed = new Counter({
      name: 'disparo_ledger_healed_numbers_total',
      help: 'Numbers that were published, were late and went back to the outbox.',
      registers: [metrics.registry],
    });
  }

  /** Looks at every partition once. Returns how many numbers were given back. Throws when a store or the broker is away. */
  async heal(): Promise<number> {
    const { healAfterS, queuePartitions } = this.config;
    let numbers = 0;
    for (const partition of await this.healing.latePartitions(healAfterS)) {
      if (partition >= queuePartitions) continue;
      const ready = await this.broker.ready(partition);
      const back = await this.healing.heal(partition, healAfterS, ready === 0);
      if (back > 0) this.log.warn({ partition, ready, numbers: back }, 'late and not in the store: back to the outbox');
      numbers += back;
    }
    this.healed.inc(numbers);
    return numbers;
  }
}
