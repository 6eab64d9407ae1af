import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';

let stage: ApiStage;

// No plain server: it would run the duty itself.
beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  await stage.stores.migrate();
});
afterAll(() => stage?.close());

test('npm run dispatch ends what nobody follows, and tells how many', async () => {
  await stage.sql(`SELECT pix_generate('32074986', 5)`);
  await stage.sql(`SELECT pix_start('32074986', 'aaaaaaaa', 'aaaa', 'bbbb', 10, '68 s')`);
  await stage.sql(`UPDATE pix_streams SET expires_at = now() - interval '1 second'`);
  await stage.sql(
    `INSERT INTO pix_streams (id, ispb, slot, current_read, expires_at, closed_at, closed_by)
       VALUES ('bbbbbbbb', '32074986', 1, 'aaaa', now(), now() - interval '8 days', 'collector')`,
  );
  const pass = stage.script('command', ['dispatch']);
  expect(await pass.exited, pass.everything).toBe(0);
  const lines = pass.output.filter((line) => line.includes('"duty":"pix-streams"'));
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ streams_expired: 1, streams_deleted: 1 }]);
  expect(await stage.sql('SELECT id, closed_by, returned FROM pix_streams')).toEqual([
    { id: 'aaaaaaaa', closed_by: 'expiry', returned: 5 },
  ]);
});
