import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Board } from './board.js';
import { CampaignProgress, type Standing } from './progress.js';

let ledger: Map<string, Standing>;
let asked: number;
let written: string;
let progress: CampaignProgress;

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 10, 24, 9, 5, 7) });
  ledger = new Map();
  asked = 0;
  written = '';
});

afterEach(() => {
  progress.close();
  vi.useRealTimers();
});

function follow(writesOver: boolean): void {
  const ask = async (ids: string[]) => {
    asked++;
    return ids.flatMap((id) => ledger.get(id) ?? []);
  };
  progress = new CampaignProgress(ask, new Board(writesOver, (text) => (written += text)), '| ');
}

function stands(id: string, status: string, stored: number, deleted = false): void {
  ledger.set(id, { id, status, total: 100_000, stored, deleted });
}

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

test('a long campaign without a terminal is two lines: when first seen, and when sent', async () => {
  follow(false);
  stands('cone', 'enviando', 1_000);
  progress.heard(['cone']);
  await seconds(1);
  for (let batch = 2; batch < 100; batch++) {
    stands('cone', 'enviando', batch * 1_000);
    progress.heard(['cone']);
    await seconds(0.1);
  }
  stands('cone', 'enviado', 100_000);
  await seconds(2);
  expect(written).toMatch(
    /^\| 09:05:07 info {2}campaign cone enviando: 1,000 of 100,000 messages stored\n\| \d\d:\d\d:\d\d info {2}campaign cone enviado: 100,000 of 100,000 messages stored\n$/,
  );
});

test('a campaign that is already over is one line, however often it is reported', async () => {
  follow(false);
  stands('cone', 'enviado', 100_000);
  for (let time = 0; time < 3; time++) {
    progress.heard(['cone']);
    await seconds(2);
  }
  expect(written.split('\n')).toHaveLength(2);
});

test.each([
  ['pausado', false, 'pausado'],
  ['cancelado', false, 'cancelado'],
  ['enviando', true, 'deleted'],
])(
  'a campaign that is %s (deleted: %s) is told as %s, and nothing is asked any more',
  async (status, deleted, word) => {
    follow(false);
    stands('cone', 'enviando', 7);
    progress.heard(['cone']);
    await seconds(2);
    stands('cone', status, 7, deleted);
    await seconds(2);
    expect(written).toContain(`campaign cone ${word}: 7 of 100,000 messages stored\n`);
    const before = asked;
    await seconds(10);
    expect(asked).toBe(before);
  },
);

test('one that is resumed after a pause is told again', async () => {
  follow(false);
  for (const status of ['pausado', 'enviando', 'pausado']) {
    stands('cone', status, 7);
    progress.heard(['cone']);
    await seconds(2);
  }
  expect(written.match(/enviando|pausado/g)).toEqual(['pausado', 'enviando', 'pausado']);
});

test('a ledger that does not answer is asked again; a campaign that it does not have is not', async () => {
  let down = true;
  const ask = async (ids: string[]) => {
    asked++;
    if (down) throw new Error('down');
    return ids.flatMap((id) => ledger.get(id) ?? []);
  };
  progress = new CampaignProgress(ask, new Board(false, (text) => (written += text)));
  stands('cone', 'enviado', 100_000);
  progress.heard(['cone', 'cstranger']);
  await seconds(3);
  expect(written).toBe('');
  down = false;
  await seconds(2);
  const before = asked;
  await seconds(5);
  expect([written.split('\n').length, asked]).toEqual([2, before]);
});

test('nothing is asked once it is closed, whatever a consumer that drains still tells', async () => {
  follow(false);
  progress.close();
  progress.heard(['cone']);
  await seconds(2);
  expect(asked).toBe(0);
});

test('on a terminal a campaign has one line, drawn over, and lines of others go above it', async () => {
  const board = new Board(true, (text) => (written += text));
  progress = new CampaignProgress(async (ids) => ids.flatMap((id) => ledger.get(id) ?? []), board, '| ');
  stands('cone', 'enviando', 50_000);
  progress.heard(['cone']);
  await seconds(1);
  board.line('a warning');
  stands('cone', 'enviado', 100_000);
  await seconds(2);
  expect(screenOf(written)).toEqual([
    'a warning',
    expect.stringMatching(/^\| 09:05:\d\d info {2}campaign cone enviado: 100,000 of 100,000 messages stored$/),
  ]);
  expect(written).toContain('| cone enviando    ██████████░░░░░░░░░░  50%  50,000 of 100,000\n');
});

/** The lines that the terminal shows after all this output. */
function screenOf(text: string): string[] {
  const lines: string[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what a terminal is told.
  for (const [, up, line] of text.matchAll(/(?:\x1b\[(\d+)A\r\x1b\[J)?([^\n\x1b]*\n)?/g)) {
    if (up !== undefined) lines.splice(-Number(up));
    if (line !== undefined) lines.push(line.slice(0, -1));
  }
  return lines;
}
