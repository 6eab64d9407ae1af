import { describe, expect, it } from 'vitest';
import { FileNotText } from './recipients.errors.js';
import type { LineCounts, Recipients } from './recipients.js';
import { RecipientsFile, recipientsFromList } from './recipients-file.js';
import type { Reject } from './reject-list.js';

interface Outcome {
  counts: LineCounts;
  numbers: string[];
  rejects: Reject[];
}

function outcome(recipients: Recipients): Outcome {
  const numbers = [...recipients.chunks(1000)].flatMap((chunk) => chunk.phoneNumbers.split('\n'));
  return { counts: recipients.counts, numbers, rejects: [...recipients.rejects()] };
}

async function read(content: string | Uint8Array, allowDuplicates = false, pieceSize = 1 << 16): Promise<Outcome> {
  const file = new RecipientsFile();
  const bytes = Buffer.from(content as string);
  for (let at = 0; at < bytes.length; at += pieceSize) {
    const piece = bytes.subarray(at, at + pieceSize);
    const lent = Buffer.from(piece);
    file.write(lent);
    lent.fill(0);
  }
  return outcome(await file.finish({ allowDuplicates }));
}

/** The same at once and one byte at a time. */
async function readBoth(content: string | Uint8Array): Promise<Outcome> {
  const atOnce = await read(content);
  expect(await read(content, false, 1)).toEqual(atOnce);
  return atOnce;
}

function accepted(numbers: string[], blank = 0): Outcome {
  const size = numbers.length;
  return { counts: { lines: size + blank, accepted: size, duplicate: 0, invalid: 0, blank }, numbers, rejects: [] };
}

function windows1252(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

const A = '11987654321';
const B = '21912345678';
const BOTH = ['+5511987654321', '+5521912345678'];
const NOTHING = accepted([]);

describe('lines', () => {
  it.each([
    ['LF', `${A}\n${B}\n`],
    ['CRLF', `${A}\r\n${B}\r\n`],
    ['CR', `${A}\r${B}\r`],
    ['each another', `${A}\r${B}\r\n`],
    ['no newline at the end', `${A}\n${B}`],
    ['a byte order mark', `\ufeff${A}\n${B}\n`],
  ])('end with %s', async (_name, content) => {
    expect(await readBoth(content)).toEqual(accepted(BOTH));
  });

  it.each([
    ['two newlines', `${A}\n\n${B}`, 1],
    ['CR CR', `${A}\r\r${B}`, 1],
    ['LF CR', `${A}\n\r${B}`, 1],
    ['CR CRLF', `${A}\r\r\n${B}`, 1],
    ['spaces and tabs', `${A}\n \t \n${B}`, 1],
    ['no-break spaces', `${A}\n\u00a0\u202f\t\u00a0\u202f\n${B}`, 1],
    ['a second final newline', `${A}\n${B}\n\n`, 1],
    ['a first line without text', `\n \n${A}\n${B}`, 2],
    ['300 spaces', `${A}\n${' '.repeat(300)}\n${B}`, 1],
  ])('of white space are blank: %s', async (_name, content, blank) => {
    expect(await readBoth(content)).toEqual(accepted(BOTH, blank));
  });

  it.each([
    ['an empty file', '', 0],
    ['a byte order mark alone', '\ufeff', 0],
    ['one newline', '\n', 1],
    ['newlines', '\n\n\n', 3],
    ['CRLF', '\r\n\r\n', 2],
    ['a space', ' ', 1],
    ['a header alone', 'telefone\r\n', 1],
  ])('without a number: %s', async (_name, content, blank) => {
    expect(await readBoth(content)).toEqual(accepted([], blank));
  });

  it('may come in no piece, or in empty ones', async () => {
    const file = new RecipientsFile();
    for (const piece of ['', '\ufeff1198765', '', '4321\r', '', '\n', B, '']) file.write(Buffer.from(piece));
    expect(outcome(await file.finish({ allowDuplicates: false }))).toEqual(accepted(BOTH));
    expect(outcome(await new RecipientsFile().finish({ allowDuplicates: false }))).toEqual(NOTHING);
  });
});

describe('a first line without any digit is a header', () => {
  it.each(['telefone', 'telefone;nome', 'Número,Nome', '"telefone"\tnome', ';', ';;;', '-', '\ufefftelefone'])(
    '%s',
    async (header) => {
      expect(await readBoth(`${header}\n${A}\n${B}\n`)).toEqual(accepted(BOTH, 1));
    },
  );

  it('in Windows-1252 too', async () => {
    expect(await readBoth(windows1252(`n\xfamero;endere\xe7o\n${A}\n${B}`))).toEqual(accepted(BOTH, 1));
  });

  it.each(['telefone1', 'telefone;nome 1'])('and with a digit in any column it is none: %s', async (line) => {
    const { counts, rejects } = await readBoth(`${line}\n${A}`);
    expect(counts).toEqual({ lines: 2, accepted: 1, duplicate: 0, invalid: 1, blank: 0 });
    expect(rejects).toEqual([{ line: 1, value: line.split(';')[0], reason: 'not_a_number' }]);
  });

  it('and only the first line is', async () => {
    const { rejects } = await readBoth(`\ntelefone\n${A}\ntelefone`);
    expect(rejects).toEqual([2, 4].map((line) => ({ line, value: 'telefone', reason: 'not_a_number' })));
  });
});

describe('columns', () => {
  it.each([[','], [';'], ['\t']])('end at %j, and the first counts', async (separator) => {
    const content = [A, B].map((number) => [number, 'Ana 2', '', '"x"', '31999999999'].join(separator)).join('\n');
    expect(await readBoth(content)).toEqual(accepted(BOTH));
  });

  it('that are empty are no number, unless the line is white space', async () => {
    const { counts, rejects } = await readBoth(`${A}\n;Ana\n,\n\tAna\n\t\t\n""\n" "\n`);
    expect(counts).toEqual({ lines: 7, accepted: 1, duplicate: 0, invalid: 5, blank: 1 });
    expect(rejects).toEqual(
      [
        [2, ''],
        [3, ''],
        [4, ''],
        [6, ''],
        [7, ' '],
      ].map(([line, value]) => ({ line, value, reason: 'not_a_number' })),
    );
  });

  it.each([
    `"${A}"\n"${B}"`,
    `"+55 11 98765-4321";name\n"+55 21 91234-5678";"x"`,
    ` "${A}" ;x\n\u00a0"${B}"\t"x"`,
    `" ${A} "\n"(${B})",`,
  ])('lose one pair of quotes: %j', async (content) => {
    expect(await readBoth(content)).toEqual(accepted(BOTH));
  });

  it.each([
    ['one quote in front', `"${A}`, `"${A}`],
    ['one quote behind', `${A}"`, `${A}"`],
    ['two pairs', `""${A}""`, `"${A}"`],
    ['text behind the quotes', `"${A}"-`, `"${A}"-`],
    ['text before the quotes', `("${A}")`, `("${A}")`],
    ['a quote within', `"1198"7654321"`, '1198"7654321'],
    ['a quote alone', '"', '"'],
    ['a separator between the quotes, which ends the column', `"1198765,4321";Ana`, '"1198765'],
    ['letters in quotes', ' "Ana" ;1', 'Ana'],
    ['more blanks before the quotes than are kept of a line', `${' '.repeat(400)}"Ana"`, ' '.repeat(64)],
  ])('are no number with %s', async (_name, line, value) => {
    const { rejects } = await readBoth(`${B}\n${line}`);
    expect(rejects).toEqual([{ line: 2, value, reason: 'not_a_number' }]);
  });
});

describe('duplicates', () => {
  const content = `${A}\n+55 ${A}\n${B}\n0${A}\n"${B}";x\n+1 202 555 0123\n+12025550123\n`;

  it('are dropped behind the first, counted, and never among the rejects', async () => {
    expect(await readBoth(content)).toEqual({
      counts: { lines: 7, accepted: 3, duplicate: 4, invalid: 0, blank: 0 },
      numbers: [...BOTH, '+12025550123'],
      rejects: [],
    });
  });

  it('are recipients again when allowed', async () => {
    const [a, b] = BOTH;
    const foreign = '+12025550123';
    expect(await read(content, true)).toEqual(accepted([a, a, b, a, b, foreign, foreign] as string[]));
  });
});

describe('a file that is not text is refused', () => {
  it.each([
    ['NUL in the first column', `${A}\n${B}\n11\u0000987654321`, 3],
    ['NUL in a later column', `${A};\0`, 1],
    ['NUL in the header', `tele\0fone\n${A}`, 1],
    ['NUL behind blanks', `${A}\r\n \t \0`, 2],
    ['escape', `${A}\r\r\u001b`, 3],
    ['form feed', `${A}\n\f`, 2],
    ['vertical tab', `${A};\v`, 1],
    ['DEL in the first column', `${A}\n\u007f`, 2],
    ['DEL in a later column', `${A}\n${B},\u007f`, 2],
    ['a C1 control character in the first column', `${A}\n11\u0085987654321`, 2],
    ['a C1 control character behind letters', `${A}\nAna \u009f`, 2],
  ])('%s', async (_name, content, line) => {
    await expect(read(content)).rejects.toEqual(new FileNotText(line));
    await expect(read(content, false, 1)).rejects.toEqual(new FileNotText(line));
  });

  it('whichever control character it is, and only for those', async () => {
    const refused: number[] = [];
    for (let byte = 0; byte < 256; byte++) {
      const inColumn = windows1252(`${A}\n1\n`).fill(byte, 12, 13);
      const behind = windows1252(`${A};1\n`).fill(byte, 12, 13);
      const results = await Promise.allSettled([read(inColumn), read(behind)]);
      const states = new Set(results.map((result) => result.status));
      expect(states.size).toBe(1);
      if (states.has('rejected')) refused.push(byte);
    }
    const lower = Array.from({ length: 32 }, (_, byte) => byte).filter((byte) => ![9, 10, 13].includes(byte));
    expect(refused).toEqual([...lower, 0x7f]);
  });

  it('such as UTF-16 and ZIP', async () => {
    await expect(read(Buffer.from(`\ufeff${A}`, 'utf16le'))).rejects.toEqual(new FileNotText(1));
    await expect(read(Buffer.from('504b0304140006000800', 'hex'))).rejects.toEqual(new FileNotText(1));
  });

  it('with a stable code and the line', () => {
    const { code, line, message, name } = new FileNotText(7);
    expect({ code, line, message, name }).toEqual({
      code: 'CAMPAIGN.FILE_NOT_TEXT',
      line: 7,
      message: 'line 7 holds a control character: the file is not text',
      name: 'FileNotText',
    });
  });
});

describe('Windows-1252', () => {
  it('in later columns does not matter, also where it would be a C1 control character in UTF-8', async () => {
    const high = Buffer.from(Array.from({ length: 128 }, (_, index) => index + 128));
    const lines = [A, B].map((number) => Buffer.concat([Buffer.from(`${number};`), high, windows1252('\xc2\x80\n')]));
    expect(await readBoth(Buffer.concat(lines))).toEqual(accepted(BOTH));
  });

  it('in the first column is no number, and its value has U+FFFD', async () => {
    const { rejects } = await readBoth(windows1252(`${A}\nJo\xe3o;1\n11\xa0987654321\n\xc2\xc2\xe2\x80`));
    expect(rejects).toEqual([
      { line: 2, value: 'Jo\ufffdo', reason: 'not_a_number' },
      { line: 3, value: '11\ufffd987654321', reason: 'not_a_number' },
      { line: 4, value: '\ufffd\ufffd\ufffd', reason: 'not_a_number' },
    ]);
  });
});

describe('a line of 10 MB', () => {
  const long = 10 * 1024 * 1024;

  it.each([
    ['letters', 'a', 'not_a_number'],
    ['digits', '1', 'wrong_length'],
    ['quotes', '"', 'not_a_number'],
    ['no digits', '-', 'not_a_number'],
  ])('of %s is one reject with a short value', async (_name, character, reason) => {
    const bytes = Buffer.concat([Buffer.from(`${A}\n`), Buffer.alloc(long, character), Buffer.from(`\n${B}`)]);
    expect(await read(bytes)).toEqual({
      counts: { lines: 3, accepted: 2, duplicate: 0, invalid: 1, blank: 0 },
      numbers: BOTH,
      rejects: [{ line: 2, value: character.repeat(64), reason }],
    });
  });

  it('may hold a number among blanks, or nothing else', async () => {
    const spaces = ' '.repeat(long);
    expect(await read(`1198${spaces}7654321${spaces}\n${spaces}\n${B}`)).toEqual(accepted(BOTH, 1));
  });

  it('is looked through to its end', async () => {
    await expect(read(`${A}\n${'a'.repeat(long)}\0`)).rejects.toEqual(new FileNotText(2));
    await expect(read(`${A};${'a'.repeat(long)}\0`)).rejects.toEqual(new FileNotText(1));
  });
});

describe('a list', () => {
  it('is read without header, columns and quotes', async () => {
    const entries = ['telefone', A, ' ', `+55${A}`, `${B}\r`, `"${A}"`, `${A};x`, '', '11\ud800'];
    const rejects = [
      { line: 1, value: 'telefone', reason: 'not_a_number' },
      { line: 6, value: `"${A}"`, reason: 'not_a_number' },
      { line: 7, value: `${A};x`, reason: 'not_a_number' },
      { line: 9, value: '11\ufffd', reason: 'not_a_number' },
    ];
    expect(outcome(await recipientsFromList(entries, { allowDuplicates: false }))).toEqual({
      counts: { lines: 9, accepted: 2, duplicate: 1, invalid: 4, blank: 2 },
      numbers: BOTH,
      rejects,
    });
    expect((await recipientsFromList(entries, { allowDuplicates: true })).counts).toEqual({
      lines: 9,
      accepted: 3,
      duplicate: 0,
      invalid: 4,
      blank: 2,
    });
  });

  it('of nothing has nothing', async () => {
    expect(outcome(await recipientsFromList([], { allowDuplicates: false }))).toEqual(NOTHING);
  });

  it('is refused for a control character, with the entry counted from 1', async () => {
    for (const entry of ['\0', '11\u0000987654321', '\u0085', '\u007f']) {
      await expect(recipientsFromList([A, entry], { allowDuplicates: false })).rejects.toEqual(new FileNotText(2));
    }
  });
});
