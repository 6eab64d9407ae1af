import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Stage } from '../../testing/stage.js';
import { openStage } from '../campaign.js';
import { CONTACT_WAYS, measureLoad, requireAccepted, requireLines, requireRows } from './contacts.js';
import { measureContactsDrain } from './contacts-drain.js';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage?.close());

test.each(CONTACT_WAYS)('a load is measured: %s', async (way) => {
  const { acceptedS, endedS, p50Ms, p99Ms, maxMs, cpuS } = await measureLoad(stage, way, 20);
  const follows = way.startsWith('to the last end');
  expect([acceptedS > 0, endedS !== undefined, cpuS > 0]).toEqual([true, follows, true]);
  expect([p50Ms > 0, p50Ms <= p99Ms, p99Ms <= maxMs]).toEqual([true, true, true]);
  const [{ batches } = { batches: -1 }] = await stage.sql('SELECT count(*)::int AS batches FROM contact_batches');
  if (way.endsWith('no database')) expect(batches).toBe(0);
  else if (way.endsWith('an INSERT each')) expect(batches).toBe(40);
  else expect(batches).toBeLessThan(40);
});

test('a drain is measured against a COPY of all its rows', async () => {
  const { users, rows, drainS, copyS } = await measureContactsDrain(stage, 600);
  expect([users, drainS > 0, copyS > 0]).toEqual([600, true, true]);
  const tables = ['contacts', 'contact_teams', 'contact_projects', 'contact_logs'];
  const counts = tables.map((table) => `(SELECT count(*) FROM ${table})`).join(' + ');
  expect(await stage.sql(`SELECT (${counts})::int AS rows`)).toEqual([{ rows }]);
  // A changed row is one that is missing and one that was not sent.
  await stage.sql(`UPDATE contact_teams SET leader = NOT leader WHERE job = (SELECT min(job) FROM contact_teams)`);
  await expect(requireRows(stage, 600)).rejects.toThrow('"contact_teams","sent":600,"found":600,"missing":1,"other":1');
});

test('a lost line does not count as accepted', async () => {
  await measureLoad(stage, 'accepted, an INSERT each', 20);
  await requireLines(stage, 20);
  await stage.sql('DELETE FROM contact_batches WHERE id = (SELECT max(id) FROM contact_batches)');
  await expect(requireLines(stage, 20)).rejects.toThrow('39 lines are stored');
});

test.each([
  [{ users: 2, answers: { 202: 1 }, problems: {} }],
  [{ users: 2, answers: { 202: 2, 503: 1 }, problems: {} }],
  [{ users: 2, answers: { 202: 2 }, problems: { 'job failed, conflict': 1 } }],
])('a load that is not all accepted and done does not count: %j', (figures) => {
  expect(() => requireAccepted(figures)).toThrow('not each of 2 users');
});
