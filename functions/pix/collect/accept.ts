/** In which form a collector takes messages: one object, or a list of up to ten. */
export type Form = 'one' | 'many';

/** The media type of each form. The second one is the word of Pix's own specification. */
const TYPES = { one: 'application/json', many: 'multipart/json' } as const satisfies Record<Form, string>;
/** Only parameters have quoted strings, and none of those matters. A quality is never quoted. */
const QUOTED = /"[^"]*"?/g;
/** RFC 9110, 12.4.2: three decimals at most. */
const QUALITY = /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/;

/** One element of the header. */
interface Range {
  type: string;
  quality: number;
  /** Where it stands. */
  position: number;
}

/** How much a form is wanted. `exact`: 2 by its name, 1 by `multipart/*` and its like, 0 by any type. */
interface Wish {
  form: Form;
  quality: number;
  exact: number;
  position: number;
}

/**
 * The form that an Accept header asks for; undefined where it takes neither. The highest quality wins, then the more exactly
 * named, then the first; and one message where all are the same. A form has the quality of the most exact range that
 * matches it (RFC 9110, 12.5.1), so that `;q=0` refuses it. Case and other parameters do not matter; an element
 * whose quality is malformed is dropped.
 */
export function formOf(accept: string | undefined): Form | undefined {
  const elements = (accept ?? '')
    .replace(QUOTED, '')
    .split(',')
    .map((element) => element.trim());
  if (elements.every((element) => element === '')) return 'one';
  const ranges = elements.flatMap(rangeOf);
  const wishes = (['one', 'many'] as const).flatMap((form) => wishFor(form, ranges) ?? []);
  const [first] = wishes
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || b.exact - a.exact || a.position - b.position);
  return first?.form;
}

function rangeOf(element: string, position: number): Range[] {
  const [type = '', ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return QUALITY.test(given) ? [{ type, quality: Number(given), position }] : [];
}

function wishFor(form: Form, ranges: readonly Range[]): Wish | undefined {
  const type = TYPES[form];
  const names = ['*/*', type.replace(/\/.*/, '/*'), type];
  const [best] = ranges
    .map(({ type: name, ...range }) => ({ form, ...range, exact: names.indexOf(name) }))
    .filter(({ exact }) => exact >= 0)
    .sort((a, b) => b.exact - a.exact);
  return best;
}
