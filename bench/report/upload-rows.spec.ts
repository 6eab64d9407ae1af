import { describe, expect, it } from 'vitest';
import type { Results } from '../results.js';
import { drain, judged, NAIVE, results } from './made-up.js';
import { endToEndRows, uploadRows } from './upload-rows.js';

describe('the lines of uploads', () => {
  it('judges an upload by the time that naive would take for as many numbers', () => {
    const uploads = [{ numbers: 100_000, answerS: 1, confirmedS: 4, memory: { idleMb: 100, peakMb: 130 } }];
    expect(
      judged(uploadRows(results({ uploads, naive: { each: [NAIVE], end: [{ ...NAIVE, publishS: 0.1 }] } }))),
    ).toEqual([['upload and naive, each confirm awaited', '1/50 of naive of 1,000', true]]);
  });

  it('judges a million from the first byte by the drain of as many, and by the memory of the API', () => {
    const drains = [drain('rust', 1_000_000, 10)];
    const whole = { language: 'rust', numbers: 1_000_000, sentS: 13, memory: { idleMb: 100, peakMb: 340 } } as const;
    const found = (measure: Results['endToEnd'][number]) =>
      judged(endToEndRows(results({ drains, endToEnd: [measure] }))).at(-1);
    const name = 'first byte to enviado: rust';
    expect(found(whole)).toEqual([name, '1.30 x drain, API idle + 240 MB', true]);
    expect(found({ ...whole, sentS: 15 })).toEqual([name, '1.50 x drain, API idle + 240 MB', false]);
    expect(found({ ...whole, memory: { idleMb: 80, peakMb: 340 } })?.at(-1)).toBe(false);
  });
});
