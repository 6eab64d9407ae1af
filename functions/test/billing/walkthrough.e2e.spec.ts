import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { FaultySmtp } from '../../../testing/smtp-faults.js';
import { walk } from '../../../testing/walkthrough.js';
import { TestBucket } from '../uploads/fixtures.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Of the example that the page sends, good lines and wrong ones; and what secrets begin with. */
const TELLING = [
  'Exemplo',
  'Bruno',
  '@example.com',
  '@padaria',
  '52998224725',
  '529.982',
  '11144477735',
  '111.444',
  'pay_',
];

const bucket = new TestBucket();
let smtp: FaultySmtp;
let stage: ApiStage;
let ana: TestUser;
let company: TestCompany;

beforeAll(async () => {
  await bucket.open();
  smtp = await FaultySmtp.listen();
  const mail = { SMTP_URL: smtp.url, SMTP_FROM: 'cobranca@disparo.example' };
  stage = await ApiStage.open({ env: { ...bucket.env, ...mail } });
  ana = await stage.user({ email: 'ana@example.com' });
  company = await stage.company(ana);
});

afterAll(async () => {
  await stage?.close();
  await smtp?.close();
  await bucket.close();
});

test('each curl line of the page about the CSV does what is printed below it', async () => {
  const env = { TOKEN: ana.token, COMPANY: company.id };
  const { expected, printed, stderr } = await walk('docs/cobranca-por-csv.md', stage.url, env);
  const lines = (output: string) => output.replaceAll('\r', '').trim();
  expect(printed.map(lines)).toEqual(expected.map(lines));
  expect(stderr).toBe('');
});

test('no name, document, e-mail or secret of debts is in the log', async () => {
  const ask = { token: ana.token };
  const find = (filter: string) => stage.api('GET', `/api/billing/debts?company_id=${company.id}&${filter}`, ask);
  const found = await Promise.all([find('email=bruno@example.com'), find('government_id=11144477735')]);
  expect(found.map(({ status, body }) => [status, (body.data as unknown[]).length])).toEqual([
    [200, 1],
    [200, 1],
  ]);
  const logged = () => stage.output.filter((line) => line.includes('"route":"/api/billing/debts"'));
  await stage.until(() => logged().length >= found.length, 'both requests are logged');
  expect(stage.output.filter((line) => TELLING.some((word) => line.includes(word)))).toEqual([]);
});
