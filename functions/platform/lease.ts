import { createId } from '@paralleldrive/cuid2';

/**
 * A lease on a row: one process at a time works on the row, until `lease_until`. After that another process takes it over.
 * These are the parts that all statements on a lease share. Each statement says itself which rows it takes and what else it
 * sets. Where a row is taken, FOR UPDATE SKIP LOCKED keeps takers from waiting for one another. Where a lease is renewed or
 * given back, `lease_holder` is compared, since another process may hold the lease by now.
 */

/** A new name for each lease that is taken: only its holder renews the lease or gives it back. */
export function newHolder(): string {
  return createId();
}

/** The condition under which a lease may be taken: nobody holds it, or its time is over. */
export function leaseIsFree(row = ''): string {
  return `(${row}lease_until IS NULL OR ${row}lease_until < clock_timestamp())`;
}

/** Sets a lease. `life`, an interval, and `holder` are parameters of the statement, for example `$1`. */
export function takeLease(life: string, holder: string): string {
  return `lease_until = clock_timestamp() + ${life}::interval, lease_holder = ${holder}`;
}

/** Removes a lease. */
export const NO_LEASE = 'lease_until = NULL, lease_holder = NULL';
