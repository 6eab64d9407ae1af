import { describe, expect, it } from 'vitest';
import { CommandError } from '../services/command-error.js';
import { PARTS, parsePlan } from './plan.js';

const numbers = (sizes: readonly { numbers: number }[]) => sizes.map((size) => size.numbers);

describe('the plan of a bench', () => {
  it('measures all unless told otherwise, ten million only when asked', () => {
    const plan = parsePlan([]);
    expect(plan).toMatchObject({
      name: '',
      parts: PARTS.filter((part) => part !== 'pix' && part !== 'billing'),
      languages: ['rust', 'go', 'typescript'],
      largest: [],
    });
    expect(numbers(plan.drains)).toEqual([10_000, 100_000, 1_000_000]);
    expect(numbers(parsePlan(['--full']).largest)).toEqual([10_000_000]);
    expect(numbers(plan.wrongLines)).toEqual([400_000, 1_000_000, 4_000_000]);
    expect(numbers(parsePlan(['--full']).rightLines)).toEqual([100_000, 1_000_000, 10_000_000]);
  });

  it('leaves the million and the routines out of a quick one', () => {
    const plan = parsePlan(['--quick']);
    expect(plan.name).toBe('quick');
    expect(plan.parts).toEqual(PARTS.filter((part) => !['routines', 'pix', 'billing'].includes(part)));
    expect(parsePlan(['--quick', '--only=routines']).parts).toEqual(['routines']);
    expect([numbers(plan.drains), numbers(plan.uploads), numbers(plan.endToEnd)]).toEqual([
      [10_000, 100_000],
      [5, 1_000, 100_000],
      [100_000],
    ]);
    expect([numbers(plan.wrongLines), numbers(plan.rightLines)]).toEqual([[400_000], [100_000]]);
  });

  it('gives naive the numbers of a drain, in quick runs few', () => {
    expect(numbers(parsePlan([]).naive)).toEqual([2_000, 100_000]);
    expect(numbers(parsePlan(['--quick']).naive)).toEqual([2_000]);
    expect(numbers(parsePlan(['--at-most=1000']).naive)).toEqual([1_000]);
  });

  it('sends a hundred thousand users, in quick runs a fifth, and half as many wait for the loop', () => {
    expect(parsePlan([]).contacts).toEqual({ users: 100_000, waiting: 50_000, rounds: 3 });
    expect(parsePlan(['--quick']).contacts).toEqual({ users: 20_000, waiting: 10_000, rounds: 3 });
    expect(parsePlan(['--at-most=101']).contacts).toEqual({ users: 101, waiting: 51, rounds: 3 });
  });

  it('drains a hundred thousand events, in quick runs a fifth, and a tenth by naive', () => {
    expect(parsePlan([]).events).toEqual({ messages: 100_000, naive: 10_000, rounds: 3 });
    expect(parsePlan(['--quick']).events).toEqual({ messages: 20_000, naive: 10_000, rounds: 3 });
    expect(parsePlan(['--at-most=101']).events).toEqual({ messages: 101, naive: 101, rounds: 3 });
  });

  it('measures Pix only where it is named', () => {
    expect(parsePlan(['--only=pix'])).toMatchObject({
      parts: ['pix'],
      pix: { messages: 30_000, made: 1_000_000, rounds: 3 },
    });
    expect(parsePlan(['--only=pix', '--quick']).pix).toEqual({ messages: 10_000, made: 10_000, rounds: 3 });
    expect(parsePlan(['--only=pix', '--at-most=101']).pix).toEqual({ messages: 101, made: 101, rounds: 3 });
  });

  it('measures billing only where it is named', () => {
    expect(parsePlan(['--only=billing'])).toMatchObject({
      parts: ['billing'],
      billing: { lines: 1_000_000, issued: 100_000, mailed: 4_000, rounds: 3 },
    });
    expect(parsePlan(['--only=billing', '--quick']).billing).toEqual({
      lines: 100_000,
      issued: 100_000,
      mailed: 4_000,
      rounds: 3,
    });
    expect(parsePlan(['--only=billing', '--at-most=101']).billing).toEqual({
      lines: 101,
      issued: 101,
      mailed: 101,
      rounds: 3,
    });
  });

  it('with parts, languages or a largest size is not a whole run', () => {
    const plan = parsePlan(['--only=drain,naive', '--languages=go', '--at-most=1000']);
    expect(plan).toMatchObject({ name: 'part', parts: ['naive', 'drain'], languages: ['go'], partitionNumbers: 1_000 });
    expect([numbers(plan.drains), numbers(plan.uploads)]).toEqual([[1_000], [5, 1_000]]);
  });

  it('builds no consumer for what starts none', () => {
    expect(parsePlan(['--only=naive,upload,health,routines,contacts,events,pix,billing']).consumers).toEqual([]);
    expect(parsePlan(['--only=naive,end-to-end', '--languages=go']).consumers).toEqual(['go']);
    expect(parsePlan([]).consumers).toEqual(['rust', 'go', 'typescript']);
  });

  it.each([['--only=x'], ['--languages=cobol'], ['--at-most=0'], ['--fast'], ['--quick', '--full']])(
    'refuses %s',
    (...args) => {
      expect(() => parsePlan(args)).toThrow(CommandError);
    },
  );
});
