import type { Below, Debt } from './debts.js';

/** The fields of a line in the order of the header, as they are written. */
export type Fields = [name: string, document: string, email: string, amount: string, dueOn: string, id: string];

/** Why an import rejects a line. */
export type Reason = keyof typeof WRONG;

/** From this length on, in bytes, a line is too long. */
const TOO_LONG = 4_097;
const TOO_MANY_CHARACTERS = 201;

type Change = (fields: Fields, debt: Debt, below: Below) => Fields | string;

/** For each reason a change of a right line; a text in place of fields is the whole line. */
const WRONG = {
  columns: (fields, _, below) => (below(2) === 0 ? fields.slice(1).join(',') : `${fields.join(',')},x`),
  quotes: ([name, ...rest]) => `"${name.replaceAll('"', '')},${rest.join(',')}`,
  line_too_long: ([, ...rest]) => `${'x'.repeat(TOO_LONG)},${rest.join(',')}`,
  name_invalid: put(0, '', '   ', '=HYPERLINK("x")', '@home', '- Ana', 'x'.repeat(TOO_MANY_CHARACTERS), 'Ana\tSilva'),
  government_id_invalid: put(1, '', 'abc', '123456789012345', '1234567890123A', '12 345 X'),
  email_invalid: put(2, '', 'nobody', 'a@b@example.com', '+a@x.com', 'a..b@example.com', 'a@localhost', '.a@x.com'),
  amount_invalid: put(3, '', '1.005', '1e3', '"1.000,00"', '-1', '+1', 'R$ 10', '10.'),
  amount_not_positive: put(3, '0', '0.00', '0.0'),
  amount_too_large: put(3, '100000000.00', '99999999999999', '100000000'),
  due_date_invalid: put(4, '', '2025-02-29', '2026-04-31', '2026-13-01', '01/02/2026', '2026-1-1'),
  due_date_out_of_range: put(4, '1999-12-31', '2099-01-01', '0001-01-01', '9999-12-31'),
  debt_id_invalid: (fields, { id }, below) => {
    const wrong = ['', id.slice(1), id.replaceAll('-', ''), `{${id}}`, id.replace(/^./, 'g'), `${id}0`];
    return [...fields.slice(0, -1), wrong[below(wrong.length)]] as Fields;
  },
} satisfies Record<string, Change>;

/** Every reason. */
export const REASONS = Object.keys(WRONG) as Reason[];

/** A line that is rejected for a reason, made of the fields of a right one. */
export function wrongLine(reason: Reason, fields: Fields, debt: Debt, below: Below): string {
  const changed: Fields | string = WRONG[reason](fields, debt, below);
  return typeof changed === 'string' ? changed : changed.join(',');
}

/** One of these values in place of a field. */
function put(field: number, ...values: string[]): Change {
  return (fields, _, below) => fields.with(field, values[below(values.length)] as string) as Fields;
}
