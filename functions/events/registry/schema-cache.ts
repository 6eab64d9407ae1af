import { LRUCache } from 'lru-cache';
import type { PayloadCheck } from './registered.js';
import { type CompiledCheck, payloadCheck } from './schema/payload-schema.js';

/** Bytes of memory of all checks of this process. Those that were not used for the longest time go first. */
const MAX_BYTES = 128 * 1_024 * 1_024;
/**
 * And of those of one company. guard: all of them stay, so that each is compiled once: messages of ever another type, of which
 * none is in memory, would take a third of a second each.
 */
export const MAX_COMPANY_BYTES = MAX_BYTES / 4;

interface Cached {
  schema: string;
  check: PayloadCheck;
  bytes: number;
  /** In which it was read. */
  epoch: number;
}

/** Compiled schemas of types, by the types' id. */
export class SchemaCache {
  readonly #cached: LRUCache<number, Cached>;
  #epoch = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#cached = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => bytes });
  }

  /** The time since `distrust` was called last. */
  get epoch(): number {
    return this.#epoch;
  }

  get(typeId: number): PayloadCheck | undefined {
    const cached = this.#cached.get(typeId);
    return cached?.epoch === this.#epoch ? cached.check : undefined;
  }

  /** The check of this schema, which was read in this epoch: the one that is there, or a new one. */
  put(typeId: number, schema: string, epoch: number): PayloadCheck {
    const last = this.#cached.get(typeId);
    if (last?.schema === schema) {
      last.epoch = epoch;
      return last.check;
    }
    const check = compiled(schema);
    this.#cached.set(typeId, { schema, check, bytes: check.bytes + 2 * schema.length, epoch });
    return check;
  }

  /** From now on each is used only after `put` has compared it: it may take a second to compile a schema. */
  distrust(): void {
    this.#epoch += 1;
  }
}

function compiled(schema: string): CompiledCheck {
  try {
    return payloadCheck(JSON.parse(schema));
  } catch (error) {
    // It was taken once, and is not any more since the rules are others now: it lets nothing pass.
    const refusal = `the schema of the type is not taken: ${error instanceof Error ? error.message : String(error)}`;
    return Object.assign(() => refusal, { bytes: refusal.length });
  }
}
