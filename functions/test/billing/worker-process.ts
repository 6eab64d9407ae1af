import type { ApiStage } from '../../../testing/api-stage.js';
import { Worker, type WorkerMail } from './issuing.js';

/** A worker as a process of its own, with limits that no configuration has: one pass. Its arguments are JSON. */
const [databaseUrl = '', mail = ''] = process.argv.slice(2);
const worker = new Worker(
  { env: { DATABASE_URL: databaseUrl } } as ApiStage,
  {},
  undefined,
  JSON.parse(mail) as WorkerMail,
);
const counts = await worker.pass();
await worker.close();
process.stdout.write(`${JSON.stringify(counts)}\n`);
