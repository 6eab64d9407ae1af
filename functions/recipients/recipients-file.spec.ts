import { describe, expect, it } from 'vitest';
import { FileIsNotText, PhoneColumnUnknown } from './recipients.errors.js';
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

async function recipientsOf(content: string | Uint8Array, column?: string | number): Promise<Recipients> {
  const file = new RecipientsFile(column);
  file.write(Buffer.from(content as string));
  return file.finish({ allowDuplicates: false });
}

/** Reads all at once and one byte at a time, and expects the same. */
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

  it.each(['lista1', 'clientes;nome 1'])('and with a digit in any column it is none: %s', async (line) => {
    const { counts, rejects } = await readBoth(`${line}\n${A}`);
    expect(counts).toEqual({ lines: 2, accepted: 1, duplicate: 0, invalid: 1, blank: 0 });
    expect(rejects).toEqual([{ line: 1, value: line.split(';')[0], reason: 'not_a_number' }]);
  });

  it.each(['telefone1', 'telefone;nome 1', 'Fone 2;nome'])('or one whose name says telephone: %s', async (line) => {
    expect(await readBoth(`${line}\n${A}\n${B}`)).toEqual(accepted(BOTH, 1));
  });

  it('and may stand below blank lines, but not below a number', async () => {
    const { counts, rejects } = await readBoth(`\ntelefone\n${A}\ntelefone`);
    expect(counts).toEqual({ lines: 4, accepted: 1, duplicate: 0, invalid: 1, blank: 2 });
    expect(rejects).toEqual([{ line: 4, value: 'telefone', reason: 'not_a_number' }]);
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
    ['two pairs', `""${A}""`, `""${A}""`],
    ['text behind the quotes', `"${A}"-`, `"${A}"-`],
    ['text before the quotes', `("${A}")`, `("${A}")`],
    ['a quote within', `"1198"7654321"`, '"1198"7654321"'],
    ['a quote alone', '"', '"'],
    ['letters in quotes', ' "Ana" ;1', 'Ana'],
    ['letters in quotes behind more blanks than are kept of a line', `${' '.repeat(400)}"Ana"`, 'Ana'],
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
    ['NUL in a later column', `${A};\0\n${B}`, 1],
    ['NUL in the header', `tele\0fone\n${A}`, 1],
    ['NUL behind blanks', `${A}\r\n \t \0;`, 2],
    ['escape', `${A}\r\r\u001b`, 3],
    ['form feed', `${A}\n\f`, 2],
    ['vertical tab', `${A};\v`, 1],
    ['DEL in the first column', `${A}\n\u007f`, 2],
    ['DEL in a later column', `${A}\n${B},\u007f`, 2],
    ['a C1 control character in the first column', `${A}\n11\u0085987654321`, 2],
    ['a C1 control character behind letters', `${A}\nAna \u009f`, 2],
  ])('%s', async (_name, content, line) => {
    await expect(read(content)).rejects.toEqual(new FileIsNotText(line));
    await expect(read(content, false, 1)).rejects.toEqual(new FileIsNotText(line));
  });

  it('whichever control character it is, and only for those', async () => {
    const refused: number[] = [];
    for (let byte = 0; byte < 256; byte++) {
      const inColumn = windows1252(`${A}\n1\n1`).fill(byte, 12, 13);
      const behind = windows1252(`${A};1\n1`).fill(byte, 12, 13);
      const results = await Promise.allSettled([read(inColumn), read(behind)]);
      const states = new Set(results.map((result) => result.status));
      expect(states.size).toBe(1);
      if (states.has('rejected')) refused.push(byte);
    }
    const lower = Array.from({ length: 32 }, (_, byte) => byte).filter((byte) => ![9, 10, 13].includes(byte));
    expect(refused).toEqual([...lower, 0x7f]);
  });

  it('such as UTF-16 and ZIP', async () => {
    await expect(read(Buffer.from(`\ufeff${A}`, 'utf16le'))).rejects.toEqual(new FileIsNotText(1));
    await expect(read(Buffer.from('504b0304140006000800', 'hex'))).rejects.toEqual(new FileIsNotText(1));
  });

  it('with a stable code and the line', () => {
    const { code, line, message, name } = new FileIsNotText(7);
    expect({ code, line, message, name }).toEqual({
      code: 'CAMPAIGN.FILE_NOT_TEXT',
      line: 7,
      message: 'line 7 of the file holds a control character: this is no text file',
      name: 'FileIsNotText',
    });
  });
});

describe('Windows-1252', () => {
  it('in later columns does not matter, also where it would be a C1 control character in UTF-8', async () => {
    const high = Buffer.from(Array.from({ length: 128 }, (_, index) => index + 128));
    const lines = [A, B].map((number) => Buffer.concat([Buffer.from(`${number};`), high, windows1252('\xc2\x80\n')]));
    expect(await readBoth(Buffer.concat(lines))).toEqual(accepted(BOTH));
  });

  it('is read in the column with the numbers too, blanks and dashes as well as letters', async () => {
    const { numbers, rejects } = await readBoth(
      windows1252(`11\xa098765\x964321\nJo\xe3o;1\n${B}\xa0\n\xc2\xc2\xe2\x80`),
    );
    expect(numbers).toEqual(BOTH);
    expect(rejects).toEqual([
      { line: 2, value: 'João', reason: 'not_a_number' },
      { line: 4, value: 'ÂÂâ€', reason: 'not_a_number' },
    ]);
  });

  it('the last byte of a short file is part of its header', async () => {
    // It also begins a character of UTF-8.
    expect((await recipientsOf(Buffer.from('celular \xe9', 'latin1'))).column).toBe('celular é');
  });
});

describe('records', () => {
  it.each([
    ['a line break in a quoted column', `telefone;obs\n${A};"recado:\n21998765432\nligar"\n${B}`, 1],
    ['CR and CRLF in one', `${A},"a\r21998765432\r\n21998765433"\r\n${B}`, 0],
    ['separators in a quoted column', `nome,telefone\n"Silva, Ana",${A}\n"Souza; Rui",${B}`, 1],
    ['escaped quotes', `nome;telefone\n"Ana ""Bia""";${A}\n"""";${B}`, 1],
    ['blanks around the quotes', `nome;telefone\n "a;b" ; "${A}" \n"c";${B}`, 1],
    ['a quote that is never closed', `${A};"open\n${B};"closed"`, 0],
    ['a quote that text follows', `${A};"open" here\n${B};"closed" there`, 0],
    ['an open quote on every line', `${A};"a\n${B};"b\n`, 0],
    ['a quote in the middle of a column', `${A};5" tube\n${B};6" tube`, 0],
    ['an inch at the end', `${A};tube of 5"\n${B}`, 0],
    ['a quote that closes too late', `${A};"open\n${B}\n${`;${'x'.repeat(99)}\n`.repeat(700)}"\n`, 0],
    ['an open quote, then none for long', `${A};"open\n${B}\n${`;${'x'.repeat(99)}\n`.repeat(1_000)}`, 0],
  ])('are those of RFC 4180, but a stray quote costs its own line at most: %s', async (_name, content, blank) => {
    const { counts, numbers } = await readBoth(content);
    expect(numbers).toEqual(BOTH);
    expect(counts.blank).toBe(blank);
  });

  it('tell the line that they begin on', async () => {
    const { counts, rejects } = await readBoth(`${A};"a\nb\r\nc"\nAna;"d\n"\n"1\n2";\n3`);
    expect(counts).toEqual({ lines: 4, accepted: 1, duplicate: 0, invalid: 3, blank: 0 });
    expect(rejects).toEqual([
      { line: 4, value: 'Ana', reason: 'not_a_number' },
      { line: 6, value: '1\\u000a2', reason: 'wrong_length' },
      { line: 8, value: '3', reason: 'wrong_length' },
    ]);
  });

  it('hold no second number behind a line break', async () => {
    const { numbers, rejects } = await readBoth(`"${A}\n${B}"\n${B}`);
    expect(numbers).toEqual([BOTH[1]]);
    expect(rejects).toEqual([{ line: 1, value: `${A}\\u000a${B}`, reason: 'extra_digits' }]);
  });
});

describe('the column with the numbers', () => {
  const cpf = '119.876.543-21';

  it.each([
    [`cpf;telefone\n${cpf};${B}`, 'telefone'],
    [`cpf;telefone\n11987654321;${B}`, 'telefone'],
    [`\ufeffCPF;"Telefone Celular"\r\n${cpf};"${B}"\r\n`, 'Telefone Celular'],
    [`numero;telefone\n1;${B}`, 'telefone'],
    [`telefone;celular\n1133334444;${B}`, 'celular'],
    [`hotel;telefone\n${A};${B}`, 'telefone'],
    [`hotel,phone number\n${A},${B}`, 'phone number'],
    [`id\tMÓVIL\n${A}\t${B}`, 'MÓVIL'],
    [`cpf;fixo;WhatsApp\n${cpf};1133334444;${B}`, 'WhatsApp'],
    [`cpf;telefone 1\n${cpf};${B}`, 'telefone 1'],
    [`cpf;telefone1;telefone2\n${cpf};${B};${A}`, 'telefone1'],
    [`cpf;tipo telefone;ddd;phoneNumber\n${A};${A};11;${B}`, 'phoneNumber'],
    [`sep=;\ncpf;telefone\n${A};${B}`, 'telefone'],
    [`Clientes de 2026\n\ncpf;telefone\n${A};${B}`, 'telefone'],
    [`Lista de telefones\ncpf;telefone\n${A};${B}`, 'telefone'],
    [`nome;valor;telefone\nAna;10,50;${B}`, 'telefone'],
    [`cpf;tele\u00adfone\n${A};${B}`, 'telefone'],
    [`Telefones dos clientes;;\ncpf;nome;telefone\n${A};x;${B}`, 'telefone'],
    [`Dados;Telefones;;\nNome;CPF;Telefone;x\nx;${A};${B};`, 'Telefone'],
    [`Relatório de telefones;;;\nEmitido em 10/10/2024;;;\ncpf;nome;celular;x\n${A};x;${B};x`, 'celular'],
    [`do not call phone;phone\n${A};${B}`, 'phone'],
    [`celular antigo;celular\n${A};${B}`, 'celular'],
    [`celular do vendedor;telefone do cliente\n${A};${B}`, 'telefone do cliente'],
  ])('is the one whose name says telephone: %j', async (content, column) => {
    const { numbers } = await readBoth(content);
    expect(numbers).toEqual([BOTH[1]]);
    expect((await recipientsOf(content)).column).toBe(column);
  });

  it('may have a name in Windows-1252', async () => {
    const content = windows1252(`c\xf3digo;n\xfamero de m\xf3vil\n${A};${B}\n`);
    expect((await readBoth(content)).numbers).toEqual([BOTH[1]]);
    expect((await recipientsOf(content)).column).toBe('número de móvil');
  });

  it.each([
    ['telefone', 2],
    ['TELEFONE ', 2],
    ['Código', 1],
    ['nome', 3],
    [1, 1],
    [2, 2],
  ])('is the one that is asked for: %s', async (wanted, number) => {
    const content = `codigo;telefone;nome\n${['x', 'x', 'x'].with(number - 1, B).join(';')}\n`;
    expect((await recipientsOf(content, wanted)).counts.accepted).toBe(1);
  });

  it('is asked for by a name that stands below a title', async () => {
    const content = `Telefones dos clientes;;\ncpf;nome;telefone\n${A};x;${B}\n`;
    expect(outcome(await recipientsOf(content, 'telefone')).numbers).toEqual([BOTH[1]]);
    expect(outcome(await recipientsOf(content, 'cpf')).numbers).toEqual([BOTH[0]]);
  });

  it('is not named by a line that holds a number, good or not', async () => {
    const { numbers, rejects } = await readBoth(`1132654321;fone\n${A};celular\n${B};celular`);
    expect([numbers, rejects]).toEqual([BOTH, [{ line: 1, value: '1132654321', reason: 'not_mobile' }]]);
    const worded = await readBoth(`${A} whatsapp\n${B}\n`);
    expect(worded.rejects).toEqual([{ line: 1, value: `${A} whatsapp`, reason: 'not_a_number' }]);
  });

  it('is asked for by its number where there is no header', async () => {
    const recipients = await recipientsOf(`${A};"x;y";${B}\n${A}\n`, 3);
    expect(outcome(recipients).numbers).toEqual([BOTH[1]]);
    expect([recipients.column, recipients.counts.invalid]).toEqual([3, 1]);
  });

  it.each([
    ['a name that is not there', `cpf;telefone\n${A};${B}`, 'celular', ['cpf', 'telefone']],
    ['a number that is not there', `cpf;telefone\n${A};${B}`, 3, ['cpf', 'telefone']],
    ['a name where there is no header', `${A};${B}`, 'telefone', [1, 2]],
    ['a header of other digits below a title', `Lista;\ncpf;nome\n${A};Ana`, undefined, ['cpf', 'nome']],
    ['a header of other digits below a date', `Clientes 2024\ncpf\n${A}`, undefined, ['cpf']],
    ['a header of other digits alone', `cpf;data;nome\n${A};${B};Ana`, undefined, ['cpf', 'data', 'nome']],
  ])('is refused with the columns that there are: %s', async (_name, content, wanted, columns) => {
    await expect(recipientsOf(content, wanted)).rejects.toEqual(new PhoneColumnUnknown(columns));
    await expect(recipientsOf(content, wanted)).rejects.toHaveProperty('columns', columns);
  });

  it('is the first without a header, whichever separator ends it', async () => {
    expect(await readBoth(`${A};x\n${B},y`)).toEqual(accepted(BOTH));
    expect((await recipientsOf(`${A};x`)).column).toBe(1);
  });
});

describe('the end of a file', () => {
  it.each(['\u001a', '\0\0\0', '\r\n\u001a', '\n\0\n \0', '\u001a\r\n'])(
    'may be filled up with ^Z and NUL: %j',
    async (end) => {
      expect((await readBoth(`${A}\n${B}${end}`)).numbers).toEqual(BOTH);
    },
  );

  it('is no place for text behind them', async () => {
    await expect(read(`${A}\n\u001a\n${B}`)).rejects.toEqual(new FileIsNotText(2));
    await expect(read(`${A}\n\0\n${B}`, false, 1)).rejects.toEqual(new FileIsNotText(2));
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

  it('is no number by its beginning', async () => {
    const { numbers, rejects } = await read(`+55${A}${'\u00ad'.repeat(200)}99\n${B}`);
    expect(numbers).toEqual([BOTH[1]]);
    expect(rejects).toMatchObject([{ line: 1, reason: 'not_a_number' }]);
  });

  it('may hold a number among blanks, or nothing else', async () => {
    const spaces = ' '.repeat(long);
    expect(await read(`1198${spaces}7654321${spaces}\n${spaces}\n${B}`)).toEqual(accepted(BOTH, 1));
  });

  it('is looked through to its end', async () => {
    await expect(read(`${A}\n${'a'.repeat(long)}\0\n${B}`)).rejects.toEqual(new FileIsNotText(2));
    await expect(read(`${A};${'a'.repeat(long)}\0\n${B}`)).rejects.toEqual(new FileIsNotText(1));
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
      await expect(recipientsFromList([A, entry], { allowDuplicates: false })).rejects.toEqual(new FileIsNotText(2));
    }
  });
});
