import { RE2JS } from 're2js';

/** A pattern of a schema, run in time that grows with the text and not faster. */
export interface LinearPattern {
  /** Instructions of its program. */
  readonly size: number;
  /** Steps (Effort) that a UTF-16 unit of a text costs at most. */
  readonly stepsAUnit: number;
  /** Of memory, the states that it keeps included; about. */
  readonly bytes: number;
  test(text: string): boolean;
}

/** Instructions of one pattern. */
const MAX_SIZE = 1_000;
/**
 * The engine's table for programs that always know the one way to go on is fast, and has a copy of each class of characters a
 * time that it is counted: 20 MiB for `^\p{L}{1,490}$`. In bytes, with the program.
 */
const TABLE_BYTES = 524_288;
/** With the table each character is looked at once. */
const STEPS_BY_TABLE = 20;
/**
 * Bytes of the states that the engine makes up without the table, while it runs. By itself it takes 8 MiB a pattern, and spends
 * most of its time on them where a text needs a new one at each character.
 */
const STATES_BYTES = 65_536;
/** And those that it keeps for the next text. */
const KEPT_BYTES = 16_384;
/** Of the memory, measured. */
const BASE_BYTES = 2_048;
const INSTRUCTION_BYTES = 128;
const LIST_BYTES = 80;
const LIST_ITEM_BYTES = 4;

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
  const engine = compiled.re2();
  const programBytes = bytesOf(engine.prog.inst);
  const tableBytes = engine.onepass === null ? 0 : bytesOf(engine.onepass.inst);
  const hasTable = engine.onepass !== null && programBytes + tableBytes <= TABLE_BYTES;
  if (!hasTable) Object.assign(engine, { onepass: null });
  const states = hasTable
    ? undefined
    : Object.assign(engine.dfa, { stateBudget: STATES_BYTES, memBudget: STATES_BYTES });
  return {
    size,
    stepsAUnit: hasTable ? Math.min(size, STEPS_BY_TABLE) : size,
    bytes: BASE_BYTES + programBytes + (hasTable ? tableBytes : KEPT_BYTES),
    test: (text) => {
      const matches = compiled.test(text);
      if (states && STATES_BYTES - states.memBudget > KEPT_BYTES) states.clearCache();
      return matches;
    },
  };
}

/** Of the memory of instructions and their lists of characters, some of which share one; about. */
function bytesOf(instructions: readonly object[]): number {
  const lists = new Set<ArrayLike<unknown>>();
  for (const instruction of instructions)
    for (const value of Object.values(instruction))
      if (typeof value === 'object' && value !== null && 'length' in value) lists.add(value);
  let bytes = INSTRUCTION_BYTES * instructions.length;
  for (const { length } of lists) bytes += LIST_BYTES + LIST_ITEM_BYTES * length;
  return bytes;
}

/** The patterns of one schema, each compiled once. */
export class Patterns {
  readonly #compiled = new Map<string, LinearPattern>();

  /** Throws as linearPattern does. */
  get(pattern: string): LinearPattern {
    const compiled = this.#compiled.get(pattern) ?? linearPattern(pattern);
    this.#compiled.set(pattern, compiled);
    return compiled;
  }

  /** Instructions of all of them. */
  get size(): number {
    return this.#sum(({ size }) => size);
  }

  /** Of memory, about. */
  get bytes(): number {
    return this.#sum(({ bytes }) => bytes);
  }

  #sum(of: (pattern: LinearPattern) => number): number {
    let sum = 0;
    for (const pattern of this.#compiled.values()) sum += of(pattern);
    return sum;
  }
}
