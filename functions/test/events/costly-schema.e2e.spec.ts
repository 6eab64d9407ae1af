import { afterAll, beforeAll, expect, test } from 'vitest';
import { EventsStage, envelope } from './fixtures.js';

let stage: EventsStage;

beforeAll(async () => {
  stage = await EventsStage.open();
});
afterAll(() => stage.close());

/** Doubles at each of 60 levels: without a limit it takes years to check any message. */
function doubling(): object {
  const levels = Array.from({ length: 60 }, (_, at) => [
    `d${at}`,
    { allOf: [1, 2].map(() => ({ $ref: `#/$defs/d${at + 1}` })) },
  ]);
  return { $defs: { ...Object.fromEntries(levels), d60: {} }, $ref: '#/$defs/d0' };
}

test("300 small messages with a costly schema are refused, and other companies' among them are stored", async () => {
  await stage.register(stage.globex, [], [{ name: 'costly', schema: doubling() }]);
  const costly = (n: number) => ({ event_type: 'costly', client_id: 'client-2', message: '"x"', id: `costly-${n}` });
  const bodies = Array.from({ length: 310 }, (_, n) => (n % 31 === 30 ? envelope({ id: `good-${n}` }) : costly(n)));
  await stage.publishAll(bodies);
  const processor = stage.processor();
  await stage.untilCounts(10, 300);
  expect((await stage.events()).map(({ client_id, dedupe_key }) => [client_id, dedupe_key.slice(0, 7)])).toEqual(
    Array.from({ length: 10 }, () => ['client-1', 'p:good-']),
  );
  const refused = await stage.quarantine();
  expect(refused.map(({ company_id, reason, detail }) => [company_id, reason, detail])).toEqual(
    Array.from({ length: 300 }, () => [stage.globex, 'invalid_payload', 'takes too many steps to check']),
  );
  expect(await processor.stop()).toBe(0);
  await stage.untilDrained();
  // The warning that waits for its time is said at the end.
  const warnings = processor.lines.filter(({ msg }) => msg === 'messages are in quarantine');
  const counts = warnings.map(({ quarantined }) => (quarantined as Record<string, number>).invalid_payload ?? 0);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
});
