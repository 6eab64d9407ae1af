import { RE2JS } from 're2js';

/** A pattern of a schema, run in time that grows with the text and not faster. */
export interface LinearPattern {
  /** Instructions of its program: a text costs at most so many times its length. */
  readonly size: number;
  test(text: string): boolean;
}

/** Instructions of one pattern. */
const MAX_SIZE = 1_000;

/**
 * A pattern of ECMA-262 with the flag `u`, as JSON Schema has them, for RE2's engine, which never goes back. Throws an Error
 * that says why it is not taken: lookarounds, backreferences and counts over 1,000 need an engine that goes back.
 *
 * `\s`, `\w`, `\d` and `\b` know ASCII alone, and `.` excludes the line feed alone.
 */
export function linearPattern(pattern: string): LinearPattern {
  // Parsed only, and never run: what ECMA-262 does not know, such as `\C`, would be translated into something else.
  new RegExp(pattern, 'u');
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  const size = compiled.programSize();
  if (size > MAX_SIZE) throw new Error(`it has ${size} steps of the engine, and may have ${MAX_SIZE}`);
  return { size, test: (text) => compiled.test(text) };
}
