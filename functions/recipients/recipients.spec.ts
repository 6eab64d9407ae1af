import { describe, expect, it } from 'vitest';
import { RecipientsFile, recipientsFromList } from './recipients-file.js';
import { RejectList } from './reject-list.js';

const ONCE = { allowDuplicates: false };

function mobile(index: number): string {
  return `119${String(index).padStart(8, '0')}`;
}

describe('chunks', () => {
  const five = Array.from({ length: 5 }, (_, index) => mobile(index));

  it('hold consecutive numbers, counted from 1, one a line', async () => {
    const recipients = await recipientsFromList(five, ONCE);
    expect([...recipients.chunks(2)]).toEqual([
      { firstSequence: 1, size: 2, phoneNumbers: '+5511900000000\n+5511900000001' },
      { firstSequence: 3, size: 2, phoneNumbers: '+5511900000002\n+5511900000003' },
      { firstSequence: 5, size: 1, phoneNumbers: '+5511900000004' },
    ]);
  });

  it('can be one, and can be asked for again', async () => {
    const recipients = await recipientsFromList(five, ONCE);
    const all = [{ firstSequence: 1, size: 5, phoneNumbers: five.map((number) => `+55${number}`).join('\n') }];
    expect([...recipients.chunks(5)]).toEqual(all);
    expect([...recipients.chunks(1_000_000)]).toEqual(all);
  });

  it('throw once their numbers are freed, and never leave one out', async () => {
    const recipients = await recipientsFromList(five, ONCE);
    recipients.freeNumbers();
    expect(() => [...recipients.chunks(5)]).toThrow(TypeError);
    expect(recipients.counts.accepted).toBe(5);
  });

  it('have at least one number', async () => {
    const recipients = await recipientsFromList(five, ONCE);
    for (const size of [0, -1, 1.5, Number.NaN]) expect(() => [...recipients.chunks(size)]).toThrow(RangeError);
    expect([...(await recipientsFromList([], ONCE)).chunks(5)]).toEqual([]);
  });
});

describe('300,000 numbers, more than a block holds', () => {
  /** Each 7th repeats an earlier one, near or far. */
  const entries = Array.from({ length: 300_000 }, (_, index) => mobile(index % 7 === 6 ? (index * 31) % index : index));
  const distinct = [...new Set(entries)].map((number) => `+55${number}`);

  it('keep their order, and the first of each when repeats are dropped', async () => {
    const recipients = await recipientsFromList(entries, ONCE);
    const numbers = [...recipients.chunks(5000)].flatMap((chunk) => chunk.phoneNumbers.split('\n'));
    expect(numbers).toEqual(distinct);
    expect(recipients.counts).toEqual({
      lines: entries.length,
      accepted: distinct.length,
      duplicate: entries.length - distinct.length,
      invalid: 0,
      blank: 0,
    });
  });

  it('are all kept when repeats are allowed', async () => {
    const recipients = await recipientsFromList(entries, { allowDuplicates: true });
    const numbers = [...recipients.chunks(4999)].flatMap((chunk) => chunk.phoneNumbers.split('\n'));
    expect(numbers).toEqual(entries.map((number) => `+55${number}`));
  });

  it('let the event loop turn while they are looked through', async () => {
    const file = new RecipientsFile();
    file.write(Buffer.from(entries.join('\n')));
    let turns = 0;
    const turn = () => {
      turns++;
      running = setImmediate(turn);
    };
    let running = setImmediate(turn);
    await file.finish(ONCE);
    clearImmediate(running);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(entries.length / 65_536));
  });
});

describe('rejects', () => {
  it.each([9_999, 10_000, 10_001, 100_000])(
    'come in order, the first 10,000 of %i; all are counted',
    async (invalid) => {
      const entries = Array.from({ length: invalid * 2 }, (_, index) =>
        index % 2 === 0 ? '' : `${index}, nenhum número`,
      );
      const expected = entries.flatMap((value, index) =>
        value === '' ? [] : [{ line: index + 1, value, reason: 'not_a_number' }],
      );
      const recipients = await recipientsFromList(entries, ONCE);
      const kept = expected.slice(0, 10_000);
      expect([...recipients.rejects()]).toEqual(kept);
      expect(recipients.summary().rejects).toEqual(expected.slice(0, 20));
      expect([recipients.counts.invalid, recipients.summary().rejects_kept]).toEqual([invalid, kept.length]);
      expect(recipients.counts.lines).toBe(entries.length);
    },
  );

  it.each([
    ['64 letters', 'a'.repeat(64), 'a'.repeat(64)],
    ['65 letters', 'a'.repeat(65), 'a'.repeat(64)],
    ['64 characters of three bytes', '漢'.repeat(70), '漢'.repeat(64)],
    ['surrogate pairs', '😀'.repeat(40), '😀'.repeat(32)],
    ['a pair that the limit would cut', `a${'😀'.repeat(40)}`, `a${'😀'.repeat(31)}`],
    ['a pair behind 63 of three bytes', `${'漢'.repeat(63)}😀`, '漢'.repeat(63)],
    ['a lone surrogate', '\ud83d', '\ufffd'],
  ])('have a value of at most 64 UTF-16 units, never half a pair: %s', async (_name, entry, value) => {
    expect((await recipientsFromList([entry], ONCE)).summary().rejects).toEqual([
      { line: 1, value, reason: 'not_a_number' },
    ]);
  });

  it('are far apart in a long file', () => {
    const list = new RejectList();
    const lines = [1, 127, 128, 129, 16_600, 2 ** 31, 2 ** 40];
    for (const [index, line] of lines.entries()) list.add(line, -1 - (index % 4), Buffer.from('<ab>'), 1, 3);
    const reasons = ['not_a_number', 'not_mobile', 'wrong_length', 'unknown_ddd'];
    expect([...list]).toEqual(lines.map((line, index) => ({ line, value: 'ab', reason: reasons[index % 4] })));
  });
});
