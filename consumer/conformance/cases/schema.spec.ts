import { expect } from 'vitest';
import { allNumbers } from '../../../testing/seeds.js';
import { type Stage } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { type Case, prove } from '../runner/cases.js';

/** Moves the ledger's tables to a schema that only a search_path finds. */
async function moveLedger(stage: Stage, schema: string): Promise<void> {
  await stage.pool.query(`ALTER SCHEMA public RENAME TO "${schema}"`);
  await stage.pool.query('CREATE SCHEMA public');
}

function found(as: string, options: string): Case {
  return {
    name: `is found by options of the URL, ${as}`,
    why: 'A consumer that looks into another schema than the API waits for ever for tables that are there.',
    async run(scope) {
      const stage = await scope.stage();
      const campaign = await stage.campaign(10);
      await moveLedger(stage, 'tenant');
      stage.consumer({ DATABASE_URL: `${stage.env.DATABASE_URL}?options=${options}` });
      await stage.publish(campaign.chunks);
      await until(async () => {
        const { rows } = await stage.pool.query('SELECT status FROM tenant.campaigns');
        expect(rows).toEqual([{ status: 'enviado' }]);
      });
      expect(await stage.storedNumbers(campaign.id)).toEqual(allNumbers(10));
    },
  };
}

prove('a ledger in a schema other than public', [
  found('%20 for a blank', '-c%20search_path%3Dtenant'),
  found('a plus sign for a blank', '-c+search_path%3Dtenant'),
  found('the long form', '--search-path%3Dtenant'),
  found('the last of two', '-c%20search_path%3Dpublic&options=-c%20search_path%3Dtenant'),
]);
