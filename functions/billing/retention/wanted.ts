/** Whose debts go: those that are old, or those of one person, by a document or an e-mail. */
export type Wanted = { olderThanDays: number } | { document: string } | { email: string };

/** A document or an address, as SQL compares it. */
export interface Match {
  /** $n of a statement. */
  value: string;
  /** Whether a column of a debt is this person's. */
  debt: string;
  /** Whether one of the lines of a chunk `c` is. */
  chunk: string;
  /** Whether a text holds it, in any notation. */
  holds: (text: string) => string;
}

/** A shorter document is a part of many numbers: where a text is nothing else, it is meant. */
const LONG = 11;
/** A refused value is kept cut to so many characters, and an address may be longer. */
const KEPT = 64;
/** A text without what stands between the digits and letters of a document, and without the escapes of what is not shown. */
const bare = (text: string) =>
  `regexp_replace(upper(${text}), '\\\\U(\\{[0-9A-F]+\\}|[0-9A-F]{4})|[^0-9A-Z]', '', 'g')`;

/** How the statements find one person; the value is their parameter `place`. */
export function matchOf(wanted: Exclude<Wanted, { olderThanDays: number }>, place = '$1'): Match {
  if ('document' in wanted) {
    const value = wanted.document;
    return {
      value,
      debt: `d.government_id = ${place}`,
      chunk: `${place} = ANY (c.government_ids)`,
      holds: (text) => (value.length >= LONG ? `strpos(${bare(text)}, ${place}) > 0` : `${bare(text)} = ${place}`),
    };
  }
  return {
    value: wanted.email,
    debt: `lower(d.email) = lower(${place})`,
    chunk: `EXISTS (SELECT FROM unnest(c.emails) AS e WHERE lower(e) = lower(${place}))`,
    holds: (text) =>
      `(strpos(lower(${text}), lower(${place})) > 0
        OR length(${place}) > ${KEPT} AND lower(${text}) = lower(left(${place}, ${KEPT})))`,
  };
}
