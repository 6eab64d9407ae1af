import { type Chunk, chunkMessage } from '@disparo/contract';
import type { ServiceName } from '../../../services/names.js';
import { until } from '../../../testing/until.js';
import type { Fault, Going, Kind } from './schedule.js';
import type { System } from './system.js';

/** How long a purge waits for a queue that is not empty. */
const PURGE_PATIENCE_MS = 20_000;
const POLL_MS = 100;
const WORDS = 100;

/** Reports what has just been done to the system, in words that are printed behind the fault's name. */
type Tell = (what?: string) => void;

/** How each fault is inflicted. Each resolves when it is over and all that it took down is up again. */
const INFLICT: { [K in Kind]: (system: System, fault: Extract<Fault, { kind: K }>, tell: Tell) => Promise<void> } = {
  'consumer killed': (system, { which, backMs, prefetch }, tell) =>
    system.inTurn(`consumer ${which}`, async () => {
      await system.killConsumer(which);
      tell(`consumer ${which}, back in ${backMs} ms with PREFETCH=${prefetch}`);
      await system.wait(backMs);
      system.startConsumer(which, prefetch);
    }),

  'consumer stands still': (system, { which, forMs }, tell) =>
    system.inTurn(`consumer ${which}`, async () => {
      system.signalConsumer(which, 'SIGSTOP');
      tell(`consumer ${which}, for ${forMs} ms`);
      await system.wait(forMs);
      system.signalConsumer(which, 'SIGCONT');
    }),

  'API killed': (system, { backMs }, tell) =>
    system.inTurn('api', async () => {
      await system.killApi();
      tell(`back in ${backMs} ms`);
      await system.wait(backMs);
      system.startApi();
    }),

  'dispatcher killed': (system, { afterMs }, tell) =>
    system.inTurn('dispatcher', async () => {
      const atWork = await system.killDispatcher(afterMs);
      tell(atWork ? `${afterMs} ms after its start` : `too late, it ended before its ${afterMs} ms`);
    }),

  'connections to the broker cut': async (system, _, tell) => {
    system.proxy.cut();
    tell();
  },

  'broker restarted': (system, fault, tell) => restart(system, 'rabbitmq', fault, tell),
  'MongoDB restarted': (system, fault, tell) => restart(system, 'mongodb', fault, tell),
  'PostgreSQL restarted': (system, fault, tell) => restart(system, 'postgres', fault, tell),

  'chunks published again': async (system, { picks }, tell) => {
    const chunks = await until(() => chosen(system, picks));
    await system.inTurn('rabbitmq', () =>
      system.onBroker(async (channel) => {
        for (const { partition, traceparent, ...chunk } of chunks) {
          const { content, properties } = chunkMessage(chunk, traceparent);
          channel.publish(system.names.exchange, system.names.routingKey(partition), content, properties);
        }
        await channel.waitForConfirms();
        tell(`first sequences ${chunks.map(({ first_sequence }) => first_sequence).join(', ')}`);
      }),
    );
  },

  'queues purged': async (system, _, tell) => {
    const deadline = performance.now() + PURGE_PATIENCE_MS;
    // One turn for each try, so that other faults may have the broker while the queues are empty.
    let removed = await system.inTurn('rabbitmq', () => purge(system));
    while (removed === 0 && performance.now() < deadline) {
      await system.wait(POLL_MS);
      removed = await system.inTurn('rabbitmq', () => purge(system));
    }
    system.purged.push(removed);
    tell(
      removed > 0 ? `${removed} chunks lost` : `nothing lost: the queues were empty for ${PURGE_PATIENCE_MS / 1_000} s`,
    );
  },
};

/** What the purges of a run have done, for its last line. A purge that found nothing has tested nothing. */
export function purgesInWords(purged: readonly number[]): string {
  if (purged.every((removed) => removed === 0))
    return 'no purge found anything in a queue: this run does not show that a loss is healed';
  return `chunks lost by each purge, and healed: ${purged.join(', ')}`;
}

/** Inflicts a fault, at once or in its turn, and waits for its end. Rejects when the system is closed meanwhile. */
export function inflict(system: System, fault: Fault, say: (line: string) => void): Promise<void> {
  const tell: Tell = (what) => say(what ? `${fault.kind}: ${what}` : fault.kind);
  return (INFLICT[fault.kind] as (system: System, fault: Fault, tell: Tell) => Promise<void>)(system, fault, tell);
}

/** Purges the queues. Returns how many messages were removed; those that a consumer holds stay. */
function purge(system: System): Promise<number> {
  return system.onBroker(async (channel) => {
    let removed = 0;
    for (const queue of system.queues) removed += (await channel.purgeQueue(queue)).messageCount;
    return removed;
  });
}

async function restart(
  system: System,
  name: ServiceName,
  { how, downMs }: { how: Going; downMs: number },
  tell: Tell,
): Promise<void> {
  await system.inTurn(name, async () => {
    const service = system.services[name];
    await (how === 'killed' ? service.kill() : service.stop());
    tell(`${how}, down for ${downMs} ms`);
    await system.wait(downMs);
    await service.start().catch((error: unknown) => {
      // On a very busy machine RabbitMQ once ended while it booted. An operator would try again, too.
      tell(`did not start, trying again: ${String(error).slice(0, WORDS)}`);
      return service.start();
    });
  });
}

/** One chunk of the ledger for each pick, of any campaign, published and stored or not. */
async function chosen(
  system: System,
  picks: number[],
): Promise<(Chunk & { partition: number; traceparent: string })[]> {
  const chunks: (Chunk & { partition: number; traceparent: string })[] = [];
  for (const pick of picks) {
    const { rows } = await system.pool.query(
      `SELECT k.campaign_id, c.company_id, c.message, k.first_sequence, string_to_array(k.phone_numbers, E'\\n') AS phone_numbers,
              c.partition, c.traceparent
         FROM campaign_chunks k JOIN campaigns c ON c.id = k.campaign_id
        ORDER BY c.created_at, k.first_sequence
        LIMIT 1 OFFSET (SELECT floor($1::float8 * count(*)) FROM campaign_chunks)::int`,
      [pick],
    );
    chunks.push(...rows);
  }
  return chunks;
}
