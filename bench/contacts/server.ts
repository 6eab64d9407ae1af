import { createApp } from '../../functions/app.js';
import { AcceptContact } from '../../functions/contacts/accept/accept-contact.js';
import { BatchIds } from '../../functions/contacts/accept/batch-ids.js';
import { ContactsRepository } from '../../functions/contacts/contacts.repository.js';
import { canonicalLine } from '../../functions/contacts/contacts.schemas.js';
import { jobOf } from '../../functions/contacts/job-number.js';
import { ProcessContacts } from '../../functions/contacts/process-contacts.js';
import { loadConfig } from '../../functions/platform/config.js';
import { Runtime } from '../../functions/platform/runtime.js';
import { Log } from '../../functions/platform/telemetry/log.js';

/** Jobs of a batch that is said to be there, as many as a batch may have. */
const BATCH_LIMIT = 1_000;

type App = Awaited<ReturnType<typeof createApp>>;

/** What is changed in the app of this process. Only `process` runs a loop; the others accept, and nothing becomes of it. */
const MODES = {
  accept: () => {},
  process: (app) => void app.get(ProcessContacts).loop(new AbortController().signal),
  'without-database': storeNothing,
  'insert-each': insertEach,
} satisfies Record<string, (app: App) => void>;

/** The argument of this script. */
export type Mode = keyof typeof MODES;

/** Every user is accepted and done at once, and no statement reaches PostgreSQL. */
function storeNothing(app: App): void {
  let block = 0n;
  const replaced: Pick<ContactsRepository, 'nextBlock' | 'accept' | 'backlog' | 'batches'> = {
    nextBlock: async () => {
      block += 1_000n;
      return block;
    },
    accept: async () => true,
    backlog: async () => ({ waiting: 0, done: 0 }),
    batches: async (ids) => ids.map((id) => ({ id, size: BATCH_LIMIT, started: true, done: true, failed: {} })),
  };
  Object.assign(app.get(ContactsRepository), replaced);
}

/** No group and no limit: a statement for each request, over the pool of the app. */
function insertEach(app: App): void {
  const repository = app.get(ContactsRepository);
  const ids = new BatchIds(() => repository.nextBlock());
  const replaced: Pick<AcceptContact, 'accept'> = {
    accept: async (contact) => {
      const id = await ids.next();
      await repository.accept(id, [canonicalLine(contact)]);
      return jobOf(id, 0);
    },
  };
  Object.assign(app.get(AcceptContact), replaced);
}

/** The app of the plain server on a migrated database, changed as the argument says. Ends when it is killed. */
async function serve(mode: string | undefined): Promise<void> {
  const change = Object.entries(MODES).find(([name]) => name === mode)?.[1];
  if (!change) throw new Error(`"${mode}" is not one of ${Object.keys(MODES).join(', ')}`);
  const config = loadConfig();
  const app = await createApp(config, new Runtime('server'));
  change(app);
  await app.listen({ port: config.apiPort, host: config.apiHost, backlog: config.sockets.backlog });
  app.get(Log).info({ url: await app.getUrl() }, 'ready');
}

await serve(process.argv[2]);
