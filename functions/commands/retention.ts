import { EXIT } from '@disparo/contract';
import type { Command } from '../platform/command.js';
import type { Identifier } from '../retention/retention.js';

type RetentionTask = { dryRun: boolean } & ({ olderThanDays: number } | { forget: Identifier; value: string });

const DAYS = /^[1-9]\d{0,4}$/;
/** A Brazilian number has ten or eleven digits after +55: one that was cut short would be a part of many. */
const PHONE_NUMBER = /^\+(?:55\d{10,11}|(?!55)[1-9]\d{7,14})$/;
/** In any letter case, and of any version, as the API takes it. */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** A document as an import keeps it: without punctuation, with all its zeros; a CNPJ may have letters. */
const DOCUMENT = /^(?:\d{1,14}|[0-9A-Z]{12}\d{2})$/;
const PUNCTUATION = /[.\-/\s]/g;
const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,189}$/;

/**
 * Erases by age, or forgets a number, a contact, or who owes debts. Never prints one. Ends with EXIT.forced when it was told to stop,
 * and when something that holds it is not finished.
 */
const retention: Command<RetentionTask> = {
  usage:
    'npm run retention -- --older-than <days> | --phone <+5511987654321> | --contact <uuid> | --document <cpf or cnpj> | --email <address> [--dry-run]',
  task: retentionTask,
  reads: (task) => {
    if (!task.dryRun) return undefined;
    const isInMongo = !('forget' in task) || task.forget === 'phone-number';
    return isInMongo ? ['DATABASE_URL', 'MONGODB_URL'] : ['DATABASE_URL'];
  },
  logs: false,
  work: async (app, task, stop) => {
    const { Retention } = await import('../retention/retention.js');
    const retention = app.get(Retention);
    const run = { dryRun: task.dryRun, stop };
    const { line, complete } = await ('forget' in task
      ? retention.forget(task.forget, task.value, run)
      : retention.erase(task.olderThanDays, run));
    process.stdout.write(`${line}\n`);
    return complete ? EXIT.drained : EXIT.forced;
  },
};
export default retention;

/** Less than a day is never taken, since the answer to an Idempotency-Key lives that long. */
function retentionTask(args: readonly string[]): RetentionTask | undefined {
  const [option, value = '', ...more] = args.filter((arg) => arg !== '--dry-run');
  const dryRun = args.includes('--dry-run');
  if (more.length > 0 || args.filter((arg) => arg === '--dry-run').length > 1) return undefined;
  if (option === '--older-than' && DAYS.test(value)) return { dryRun, olderThanDays: Number(value) };
  if (option === '--phone' && PHONE_NUMBER.test(value)) return { dryRun, forget: 'phone-number', value };
  if (option === '--contact' && UUID.test(value)) return { dryRun, forget: 'contact-id', value: value.toLowerCase() };
  const document = value.replace(PUNCTUATION, '').toUpperCase();
  if (option === '--document' && DOCUMENT.test(document)) return { dryRun, forget: 'document', value: document };
  const email = value.trim().toLowerCase();
  if (option === '--email' && EMAIL.test(email)) return { dryRun, forget: 'email', value: email };
  return undefined;
}
