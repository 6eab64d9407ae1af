import { Injectable } from '@nestjs/common';

/** How a run goes: a dry one changes nothing, and one that is told to stop ends between two pages. */
export interface Run {
  dryRun: boolean;
  stop: AbortSignal;
}

/** What one module found, in words: they become one line for the operator. */
export interface Found {
  /** What is gone, or would go. */
  gone: string[];
  /** What else the operator must know; it comes after the `gone` of all modules. */
  remarks?: string[];
  /** Something of it has to wait, and is not done by this run. */
  waits?: boolean;
}

/** The result of a run. */
interface Outcome {
  line: string;
  /** It went to its end, and nothing has to wait. */
  complete: boolean;
}

/**
 * By what a person is known: a phone number in E.164; the id of a contact, a UUID in lower case; a CPF or CNPJ without punctuation,
 * in upper case; an e-mail in lower case.
 */
export type Identifier = 'phone-number' | 'contact-id' | 'document' | 'email';

type Hook<T> = (what: T, run: Run) => Promise<Found>;

/**
 * Deletes personal data that is old, or that its person asks to be forgotten. Modules that keep some register how to delete
 * it. Each hook is safe to repeat, as a run that was killed is run again. Throws what the hooks throw; what was deleted
 * until then stays deleted.
 */
@Injectable()
export class Retention {
  readonly #erasing: Hook<number>[] = [];
  readonly #forgetting: Record<Identifier, Hook<string>[]> = {
    'phone-number': [],
    'contact-id': [],
    document: [],
    email: [],
  };

  /** Modules register when they are built: how to delete what is older than a number of days. */
  onErase(hook: Hook<number>): void {
    this.#erasing.push(hook);
  }

  /** Modules register when they are built: how to delete what they keep of one person. */
  onForget(by: Identifier, hook: Hook<string>): void {
    this.#forgetting[by].push(hook);
  }

  erase(olderThanDays: number, run: Run): Promise<Outcome> {
    return outcome(this.#erasing, olderThanDays, run);
  }

  forget(by: Identifier, value: string, run: Run): Promise<Outcome> {
    return outcome(this.#forgetting[by], value, run);
  }
}

async function outcome<T>(hooks: Hook<T>[], what: T, run: Run): Promise<Outcome> {
  const found: Found[] = [];
  for (const hook of hooks) if (!run.stop.aborted) found.push(await hook(what, run));
  const whole = !run.stop.aborted;
  const gone = found.flatMap((each) => each.gone);
  const remarks = found.flatMap((each) => each.remarks ?? []);
  const line = [...gone, ...remarks, whole ? '' : 'told to stop: run it again'].filter(Boolean).join(', ');
  return { line, complete: whole && !found.some((each) => each.waits) };
}

/** A number as the operator's line shows it, with thousands separators. */
export function count(of: number): string {
  return of.toLocaleString('en');
}
