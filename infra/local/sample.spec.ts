import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { CommandError } from '../../services/command-error.js';
import { Sample } from './sample/sample.js';
import { REASONS } from './sample/wrong.js';
import sample from './sample.js';

const FOLDER = mkdtempSync(join(tmpdir(), 'disparo-sample-'));
const BOM = Buffer.from('\uFEFF');

afterAll(() => rmSync(FOLDER, { recursive: true }));

function bytesOf(options: { lines: number; seed: number; plain: boolean }): { bytes: Buffer; made: Sample } {
  const made = new Sample(options);
  return { bytes: Buffer.concat([...made.pieces()]), made };
}

test('the same seed makes the same bytes, another seed others', () => {
  const of = (seed: number) => bytesOf({ lines: 2_000, seed, plain: false }).bytes;
  expect(of(7).equals(of(7))).toBe(true);
  expect(of(7).equals(of(8))).toBe(false);
});

test.each([40, 12_345])('of %i lines each is counted as one kind', (lines) => {
  const { bytes, made } = bytesOf({ lines, seed: 3, plain: false });
  const { blank, accepted, rejected, created, repeated, conflicting, reasons } = made.counts;
  expect(bytes.subarray(0, BOM.length)).toEqual(BOM);
  expect(bytes.toString('latin1').split(/\r\n|\r|\n/)).toHaveLength(1 + lines + 1);
  expect([made.counts.lines, made.counts.bytes]).toEqual([lines, bytes.length]);
  expect([accepted + rejected + blank, created + repeated + conflicting]).toEqual([lines, accepted]);
  expect(Object.values(reasons).reduce((sum, count) => sum + count)).toBe(rejected);
  expect(REASONS.filter((reason) => reasons[reason] === 0)).toEqual([]);
  expect(Math.min(blank, repeated, conflicting)).toBeGreaterThan(0);
});

test('a file that is not plain has each line end and each encoding', () => {
  const lines = bytesOf({ lines: 5_000, seed: 1, plain: false }).bytes.toString('latin1');
  const utf8 = Buffer.from('ç').toString('latin1');
  for (const found of ['\r\n', utf8, 'Concei\xE7', 'D\x92\xC1vila', '"Silva, M', '  \n', '""'])
    expect(lines, JSON.stringify(found)).toContain(found);
  expect(lines).toMatch(/[^\n]\r[^\n]/);
});

test('a plain file has debts only, each with an id of its own', () => {
  const { bytes, made } = bytesOf({ lines: 50_000, seed: 7, plain: true });
  const lines = bytes.toString().split('\n').slice(1, -1);
  const line =
    /^[^",]+,[0-9A-Z]{11,14},[^,]+@example\.com,\d+\.\d\d,\d{4}-\d\d-\d\d,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  expect(lines.filter((text) => !line.test(text))).toEqual([]);
  expect(new Set(lines.map((text) => text.slice(-36))).size).toBe(50_000);
  expect(made.counts).toMatchObject({ lines: 50_000, accepted: 50_000, created: 50_000 });
});

test('the command writes the file, and its counts on standard error', async () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const out = join(FOLDER, 'debts.csv');
  expect(await sample(['100', '--seed', '7', '--out', out])).toBe(0);
  const { bytes, made } = bytesOf({ lines: 100, seed: 7, plain: false });
  expect(said.mock.calls).toEqual([[`${JSON.stringify(made.counts)}\n`]]);
  expect(readFileSync(out).equals(bytes)).toBe(true);
});

test.each([
  [['0'], 'the number of lines must be a whole number from 1 to 10,000,000, and not "0"'],
  [['1', '--seed', 'x'], '--seed must be a whole number from 0 to 2,147,483,647, and not "x"'],
  [[], 'usage: npm run --silent billing:sample -- lines [--seed n] [--plain] [--out file]'],
  [['1', '--out', join(FOLDER, 'none', 'x.csv')], /^.* cannot be written: ENOENT/],
])('%j is refused in one line', async (args, message) => {
  const refused = await sample(args).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CommandError);
  expect((refused as Error).message).toMatch(message);
});
