import { createId } from '@paralleldrive/cuid2';

/**
 * A lease on a row: one process at a time works on it, until `lease_until`, and another one takes it over when that has passed.
 * These are the pieces that every statement on one has in common; which rows may be taken, and what goes with it, each says
 * itself. Where a row is taken, FOR UPDATE SKIP LOCKED keeps takers from waiting for one another; where a lease is renewed
 * or given back, `lease_holder` is compared, since it may be another's by now.
 */

/** Whoever takes or renews a lease is a holder of its own: nobody else renews it or gives it back. */
export function newHolder(): string {
  return createId();
}

/** The condition of taking: nobody holds it, or not any more. */
export function leaseIsFree(row = ''): string {
  return `(${row}lease_until IS NULL OR ${row}lease_until < clock_timestamp())`;
}

/** Sets a lease; `life`, an interval, and `holder` are the statement's parameters. */
export function takeLease(life: string, holder: string): string {
  return `lease_until = clock_timestamp() + ${life}::interval, lease_holder = ${holder}`;
}

/** Sets none. */
export const NO_LEASE = 'lease_until = NULL, lease_holder = NULL';
