import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { walk } from '../../../testing/walkthrough.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let stage: ApiStage;

beforeAll(async () => {
  stage = await ApiStage.open();
});

afterAll(() => stage?.close());

/** What differs from run to run is named: messages, tokens, ISPBs, times. */
function outline(output: string): string {
  return output
    .replaceAll('\r', '')
    .replaceAll(/^\{"endToEndId".*\}$/gm, '<message>')
    .replaceAll(/stream\/[0-9a-z]{12}/g, 'stream/<token>')
    .replaceAll(/"ispb":"\d{8}"/g, '"ispb":"<ispb>"')
    .replaceAll(/\b\d\d:\d\d:\d\d\b/g, '<time>')
    .replaceAll(/\d+[.,]\d+ s$/gm, '<seconds>')
    .replaceAll(/retry-after: \d+/g, 'retry-after: <seconds>')
    .trim();
}

test('each curl line of the walkthrough does what is printed below it', async () => {
  const ana = await stage.user({ email: 'ana@example.com' });
  const company = await stage.company(ana);
  const env = { TOKEN: ana.token, COMPANY: company.id };
  const { expected, printed, stderr } = await walk('docs/um-coletor-segue-o-pull-next.md', stage.url, env);
  expect(printed.map(outline)).toEqual(expected.map(outline));
  expect(stderr).toBe('');
});
