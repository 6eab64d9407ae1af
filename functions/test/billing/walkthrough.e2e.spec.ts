import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { walk } from '../../../testing/walkthrough.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

test('each curl line of the page about the CSV does what is printed below it', async () => {
  const ana = await stage.user({ email: 'ana@example.com' });
  const company = await stage.company(ana);
  const env = { TOKEN: ana.token, COMPANY: company.id };
  const { expected, printed, stderr } = await walk('docs/cobranca-por-csv.md', stage.url, env);
  const lines = (output: string) => output.replaceAll('\r', '').trim();
  expect(printed.map(lines)).toEqual(expected.map(lines));
  expect(stderr).toBe('');
});
