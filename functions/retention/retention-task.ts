/** What `npm run retention` is told to do. */
export type RetentionTask = { dryRun: boolean } & ({ olderThanDays: number } | { phoneNumber: string });

/** How it is told. */
export const RETENTION_USAGE = 'usage: npm run retention -- --older-than <days> | --phone <+5511987654321> [--dry-run]';

const DAYS = /^[1-9]\d{0,4}$/;
/** A Brazilian number has ten or eleven digits behind +55: one that was cut would be a part of many. */
const PHONE_NUMBER = /^\+(?:55\d{10,11}|(?!55)[1-9]\d{7,14})$/;

/** Undefined: these arguments are none. Less than a day is never taken: the answer to an Idempotency-Key lives so long. */
export function retentionTask(args: readonly string[]): RetentionTask | undefined {
  const [option, value = '', ...more] = args.filter((arg) => arg !== '--dry-run');
  const dryRun = args.includes('--dry-run');
  if (more.length > 0 || args.filter((arg) => arg === '--dry-run').length > 1) return undefined;
  if (option === '--older-than' && DAYS.test(value)) return { dryRun, olderThanDays: Number(value) };
  if (option === '--phone' && PHONE_NUMBER.test(value)) return { dryRun, phoneNumber: value };
  return undefined;
}
