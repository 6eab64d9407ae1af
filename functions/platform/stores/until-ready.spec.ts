import { expect, test, vi } from 'vitest';
import { createLog } from '../telemetry/log.js';
import { untilReady } from './until-ready.js';

const AWAY = new Error('connect ECONNREFUSED');

test('an outage is said once, and its end too', async () => {
  const log = createLog('silent');
  const [warn, info] = [vi.spyOn(log, 'warn'), vi.spyOn(log, 'info')];
  const work = vi.fn().mockRejectedValueOnce(AWAY).mockRejectedValueOnce(AWAY).mockResolvedValue(undefined);
  await untilReady({ variable: 'MONGODB_URL', service: 'mongodb', work }, log, new AbortController().signal);
  expect([work.mock.calls.length, warn.mock.calls.length]).toEqual([3, 1]);
  expect(info.mock.calls).toEqual([[{ service: 'mongodb' }, 'the service is reachable now']]);
});

test('a store that closes because the process stops is no outage', async () => {
  const log = createLog('silent');
  const warn = vi.spyOn(log, 'warn');
  const stop = new AbortController();
  const work = async () => {
    stop.abort();
    throw new Error('Topology is closed');
  };
  await untilReady({ variable: 'MONGODB_URL', service: 'mongodb', work }, log, stop.signal);
  expect(warn).not.toHaveBeenCalled();
});
