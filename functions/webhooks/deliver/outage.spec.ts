import { Interrupted } from '@disparo/contract';
import { afterAll, expect, test } from 'vitest';
import type { Config } from '../../platform/config.js';
import { Postgres } from '../../platform/stores/postgres.js';
import type { Log } from '../../platform/telemetry/log.js';
import { Outage } from './outage.js';

const postgres = new Postgres({ databaseUrl: 'postgresql://a:b@127.0.0.1:9/x' } as Config);
const outage = new Outage(postgres, {} as Log);
afterAll(() => postgres.close());

test('a statement that does not end is left when the signal fires', async () => {
  const stop = new AbortController();
  const settled = outage.despite(stop.signal, () => new Promise<never>(() => {}));
  stop.abort();
  await expect(settled).rejects.toThrow(Interrupted);
});

test('after the signal nothing is begun', async () => {
  let begun = 0;
  const work = async () => {
    begun += 1;
  };
  await expect(outage.despite(AbortSignal.abort(), work)).rejects.toThrow(Interrupted);
  expect(begun).toBe(0);
});
