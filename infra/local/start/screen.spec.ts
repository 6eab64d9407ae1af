import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Board } from './board.js';
import { Screen } from './screen.js';

const TIME = '2026-11-24T09:05:07.000Z';
const LINES = [
  'ANY /api/campaigns (λ: api)',
  JSON.stringify({ level: 30, time: TIME, msg: 'publishing ended', campaign_id: 'cone' }),
  JSON.stringify({ level: 30, time: TIME, msg: 'answered', status: 201 }),
  JSON.stringify({ level: 40, time: TIME, msg: 'the broker did not take a chunk' }),
  '',
];

let written: string;
let screen: Screen;

beforeEach(() => {
  vi.useFakeTimers();
  written = '';
});

afterEach(() => {
  screen.close();
  vi.useRealTimers();
});

/** The shown lines, each without its time. */
async function shown(verbose?: boolean): Promise<string[]> {
  const ask = async () => [{ id: 'cone', status: 'enviado', total: 5, stored: 5, deleted: false }];
  screen = new Screen(ask, 12, verbose, new Board(false, (text) => (written += text)));
  const print = screen.printer('api', 'cyan');
  for (const line of LINES) print(line);
  await vi.advanceTimersByTimeAsync(2_000);
  return written.replaceAll(/\d\d:\d\d:\d\d /g, '').split('\n');
}

test('what is routine is not shown, and the campaign is, once', async () => {
  expect(await shown(false)).toEqual([
    'api          | warn  the broker did not take a chunk',
    'campaign     | info  campaign cone enviado: 5 of 5 messages stored',
    '',
  ]);
});

test.each(['debug', 'trace'])('with LOG_LEVEL=%s every line is shown, and nothing in its place', async (level) => {
  vi.stubEnv('LOG_LEVEL', level);
  expect(await shown()).toEqual([
    'api          | ANY /api/campaigns (λ: api)',
    'api          | info  publishing ended campaign_id=cone',
    'api          | info  answered status=201',
    'api          | warn  the broker did not take a chunk',
    '',
  ]);
  vi.unstubAllEnvs();
});
