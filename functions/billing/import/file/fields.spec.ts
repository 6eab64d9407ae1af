import { expect, test } from 'vitest';
import { COLUMNS } from './field.js';
import { DebtFields, dayOf } from './fields.js';
import { Splitter } from './splitter.js';

const TODAY = '2026-11-30';
const GOOD = [
  'Fulana de Tal',
  '11111111111',
  'fulana@example.com',
  '1000000.00',
  '2022-10-12',
  '1adb6ccf-ff16-467f-bea7-5f05d494280f ',
];

interface Debt {
  name: string;
  government_id: string;
  email: string;
  cents: number;
  due_on: string;
  debt_id: string;
}

/** What a line comes to, read as a file is: a debt, or `column: reason`. */
function read(line: string | Uint8Array, { separator = ',', strict = false } = {}): Debt | string {
  let found: Debt | string = 'nothing';
  const debt = new DebtFields({ today: dayOf(TODAY), strict });
  const splitter = new Splitter({
    record: (_, fields) => {
      const failure = debt.read(fields);
      found = failure ? `${failure.column}: ${failure.reason}` : debtOf(debt);
    },
    unreadable: (_, reason) => {
      found = reason;
    },
  });
  splitter.write(Buffer.from(`${COLUMNS.join(separator)}\n`));
  splitter.write(Buffer.from(line));
  splitter.finish();
  return found;
}

function debtOf({ name, governmentId, email, cents, dueDay, debtId }: DebtFields): Debt {
  const [text, document, address] = [name, governmentId, email].map(({ bytes, from, to }) =>
    bytes.toString('utf8', from, to),
  ) as [string, string, string];
  const due = new Date(Date.UTC(2000, 0, 1 + dueDay)).toISOString().slice(0, 10);
  const hex = debtId.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return { name: text, government_id: document, email: address, cents, due_on: due, debt_id: hex };
}

/** What a line comes to in which one column has another value. */
function readWith(
  column: (typeof COLUMNS)[number],
  value: string,
  options?: Parameters<typeof read>[1],
): Debt | string {
  const fields = GOOD.map((good, at) => (COLUMNS[at] === column ? value : good));
  return read(fields.join(options?.separator ?? ','), options);
}

test("the challenge's own line is a debt", () => {
  expect(read(GOOD.join(','))).toEqual({
    name: 'Fulana de Tal',
    government_id: '11111111111',
    email: 'fulana@example.com',
    cents: 100_000_000,
    due_on: '2022-10-12',
    debt_id: '1adb6ccf-ff16-467f-bea7-5f05d494280f',
  });
});

test.each([
  ['blanks of any alphabet around it', '\u00a0 Ana \u3000', 'Ana'],
  ['200 code points', '\u{1f600}'.repeat(200), '\u{1f600}'.repeat(200)],
  ['a sign that is not the first', 'Ana - Maria', 'Ana - Maria'],
])('a name with %s is taken', (_, value, name) => {
  expect(readWith('name', value)).toMatchObject({ name });
});

test.each([
  '',
  '  ',
  '=HYPERLINK("x")',
  '+1',
  '-1',
  ' @SUM',
  'a'.repeat(201),
  `${'é'.repeat(201)}`,
  'Ana\tMaria',
  'Ana\u0085Maria',
  '\u200b',
])('%j is no name', (name) => {
  expect(readWith('name', name)).toBe('name: name_invalid');
});

test.each([
  ['0123', '0123'],
  ['7', '7'],
  ['529.982.247-25', '52998224725'],
  ['11.222.333/0001-81', '11222333000181'],
  ['12.ABC.345/01DE-35', '12ABC34501DE35'],
  ['12345678901234', '12345678901234'],
])('the document %s is kept as %s', (value, kept) => {
  expect(readWith('governmentId', value)).toMatchObject({ government_id: kept });
});

test.each(['', '...', '123456789012345', 'ABC', '12abc34501de35', '12ABC34501DEA5', '12ABC34501DE3A', '123 456 é'])(
  '%j is no document',
  (value) => {
    expect(readWith('governmentId', value)).toBe('governmentId: government_id_invalid');
  },
);

test.each([
  ['529.982.247-25', true],
  ['52998224726', false],
  ['11111111111', false],
  ['00000000000000', false],
  ['11222333000181', true],
  ['11222333000182', false],
  ['12ABC34501DE35', true],
  ['12ABC34501DE36', false],
  ['0123', false],
])('a strict company takes the document %s: %s', (value, taken) => {
  const found = readWith('governmentId', value, { strict: true });
  expect(typeof found === 'object').toBe(taken);
  if (!taken) expect(found).toBe('governmentId: government_id_invalid');
});

test.each([
  ' a@b.co ',
  "o'neill+x@sub.example.com",
  `${'l'.repeat(64)}@example.com`,
  `a@${'d'.repeat(63)}.com`,
  `a@${'d.'.repeat(125)}c`,
  'A_B.c@1.2',
])('%s is an e-mail', (value) => {
  expect(readWith('email', value)).toMatchObject({ email: value.trim() });
});

test.each([
  '',
  'a',
  '@b.co',
  'a@',
  'a@b',
  'a@@b.co',
  'a@b@c.co',
  '.a@b.co',
  'a.@b.co',
  'a..b@c.co',
  'a b@c.co',
  'a@b..co',
  'a@.b.co',
  'a@b.co.',
  'a@-b.co',
  'a@b-.co',
  'a@b_c.co',
  'ção@b.co',
  'a@ção.co',
  '+a@x.com',
  '=a@x.com',
  '-a@x.com',
  `${'l'.repeat(65)}@example.com`,
  `a@${'d'.repeat(64)}.com`,
  `a@${'d.'.repeat(126)}c`,
  '"a b"@c.co',
])('%s is no e-mail', (value) => {
  expect(readWith('email', value, { separator: ';' })).toMatch(/^(email: email_invalid|quotes)$/);
});

test.each([
  ['4.35', 435],
  ['1.15', 115],
  ['8.2', 820],
  ['99999999.99', 9_999_999_999],
  ['0.01', 1],
  ['007', 700],
  [' 1 ', 100],
  ['"1000,00"', 100_000],
  ['"1000,5"', 100_050],
])('the amount %s is %i cents', (value, cents) => {
  expect(readWith('debtAmount', value)).toMatchObject({ cents });
});

test('a comma is a point where another separator makes it one', () => {
  expect(readWith('debtAmount', '1000,05', { separator: ';' })).toMatchObject({ cents: 100_005 });
  expect(readWith('debtAmount', '1000,05', { separator: ',' })).toBe('columns');
});

test.each([
  ['1.005', 'amount_invalid'],
  ['1e3', 'amount_invalid'],
  ['"1.000,00"', 'amount_invalid'],
  ['"1,000.00"', 'amount_invalid'],
  ['-1', 'amount_invalid'],
  ['+1', 'amount_invalid'],
  ['1.', 'amount_invalid'],
  ['.5', 'amount_invalid'],
  ['', 'amount_invalid'],
  ['1 000', 'amount_invalid'],
  ['R$ 1', 'amount_invalid'],
  ['123456789012345', 'amount_invalid'],
  ['0', 'amount_not_positive'],
  ['0.00', 'amount_not_positive'],
  ['100000000.00', 'amount_too_large'],
  ['99999999999999.99', 'amount_too_large'],
])('the amount %s is refused: %s', (value, reason) => {
  expect(readWith('debtAmount', value)).toBe(`debtAmount: ${reason}`);
});

test.each(['2024-02-29', '2022-10-12', '2018-09-13', '2041-12-21', '2026-12-31'])('%s is a due date', (value) => {
  expect(readWith('debtDueDate', value)).toMatchObject({ due_on: value });
});

test.each([
  ['2025-02-29', 'due_date_invalid'],
  ['2100-02-29', 'due_date_invalid'],
  ['2026-04-31', 'due_date_invalid'],
  ['2026-13-01', 'due_date_invalid'],
  ['2026-00-10', 'due_date_invalid'],
  ['2026-01-00', 'due_date_invalid'],
  ['01/02/2026', 'due_date_invalid'],
  ['2026-1-02', 'due_date_invalid'],
  ['2026/01/02', 'due_date_invalid'],
  ['', 'due_date_invalid'],
  ['0000-01-01', 'due_date_out_of_range'],
  ['2018-09-12', 'due_date_out_of_range'],
  ['2041-12-22', 'due_date_out_of_range'],
  ['9999-12-31', 'due_date_out_of_range'],
])('the due date %s is refused: %s', (value, reason) => {
  expect(readWith('debtDueDate', value)).toBe(`debtDueDate: ${reason}`);
});

test('a debtId is kept in lower case', () => {
  expect(readWith('debtId', ' 1ADB6CCF-FF16-467F-BEA7-5F05D494280F\u00a0')).toMatchObject({
    debt_id: '1adb6ccf-ff16-467f-bea7-5f05d494280f',
  });
});

test.each([
  '',
  '1adb6ccfff16467fbea75f05d494280f',
  '1adb6ccf-ff16-467f-bea7-5f05d494280',
  '1adb6ccf-ff16-467f-bea7-5f05d494280ff',
  '1adb6ccf-ff16-467f-bea75-f05d494280f',
  '1adb6ccf-ff16-467f-bea7-5f05d494280g',
  '{1adb6ccf-ff16-467f-bea7-5f05d494280f}',
])('%j is no debtId', (value) => {
  expect(readWith('debtId', value)).toBe('debtId: debt_id_invalid');
});

test('the first column that is wrong is the reason, in the order of the rules and not of the file', () => {
  const wrong = ['', '', '', '', '', ''];
  const reasons = COLUMNS.map((_, at) => read([...GOOD.slice(0, at), ...wrong.slice(at)].join(',')));
  expect(reasons).toEqual([
    'name: name_invalid',
    'governmentId: government_id_invalid',
    'email: email_invalid',
    'debtAmount: amount_invalid',
    'debtDueDate: due_date_invalid',
    'debtId: debt_id_invalid',
  ]);
});

test('a line in Windows-1252 becomes UTF-8, blanks of that code taken off', () => {
  const line = Buffer.from([...GOOD].join(',').replace('Fulana de Tal', '\xa0Jo\xe3o\xa0'), 'latin1');
  expect(read(line)).toMatchObject({ name: 'João' });
});
