import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { issue, someBiller, someDebt, store } from './fixtures.js';

let stage: ApiStage;
beforeAll(async () => {
  stage = await ApiStage.open();
});
afterAll(() => stage.close());

test('a company that is deleted bills no more', async () => {
  const { owner, company, companyNo } = await someBiller(stage);
  await stage.api('DELETE', `/api/companies/${company.id}`, { token: owner.token });
  expect(await stage.sql('SELECT deleted FROM billing_companies WHERE company_no = $1', [companyNo])).toEqual([
    { deleted: true },
  ]);
});

test('an issued debt owes one mail', async () => {
  const biller = await someBiller(stage);
  const seqs = await store(stage, biller, [someDebt(), someDebt()]);
  await issue(
    stage,
    seqs,
    seqs.map((seq) => seq.padStart(44, '0')),
  );
  const owed = 'SELECT seq, number, status FROM billing_deliveries WHERE company_no = $1 ORDER BY seq';
  expect(await stage.sql(owed, [biller.companyNo])).toEqual(
    seqs.map((seq) => ({ seq, number: 1, status: 'pendente' })),
  );
});
