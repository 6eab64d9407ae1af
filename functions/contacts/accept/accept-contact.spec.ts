import { expect, test } from 'vitest';
import { ServiceUnavailable } from '../../platform/problem.js';
import { Runtime } from '../../platform/runtime.js';
import type { Log } from '../../platform/telemetry/log.js';
import { Metrics } from '../../platform/telemetry/metrics.js';
import type { ContactsRepository } from '../contacts.repository.js';
import type { NewContact } from '../contacts.schemas.js';
import type { ProcessContacts } from '../process-contacts.js';
import { AcceptContact } from './accept-contact.js';
import type { ContactsBacklog } from './contacts-backlog.js';

const USER: NewContact = {
  id: '550e8400-e29b-41d4-a716-446655440000',
  name: 'Ana Maria Souza',
  age: 31,
  score: 87.5,
  active: true,
  country: 'Brasil',
  team: { name: 'Vendas', leader: false, projects: [] },
  logs: [],
};

/** What the store answers to each insert of a batch: it is stored, its id is there, or the answer is lost. */
type Insert = 'stored' | 'there' | 'lost';

/** Accepts one user. Returns the ids that were tried, and the batch of its job. */
async function accept(inserts: Insert[], holds: boolean): Promise<{ tried: bigint[]; batch: bigint }> {
  const tried: bigint[] = [];
  let blocks = 0n;
  const repository: Pick<ContactsRepository, 'nextBlock' | 'accept' | 'holds'> = {
    nextBlock: async () => {
      blocks += 1_000n;
      return blocks;
    },
    accept: async (id) => {
      const insert = inserts[tried.push(id) - 1];
      if (insert === 'lost') throw new ServiceUnavailable('the database', new Error('broken'));
      return insert === 'stored';
    },
    holds: async () => holds,
  };
  const silent = { debug() {}, info() {}, warn() {}, error() {} } as Log;
  const accepting = new AcceptContact(
    repository as ContactsRepository,
    { requireRoom: async () => {}, added() {} } as unknown as ContactsBacklog,
    { poke() {} } as ProcessContacts,
    new Runtime('server'),
    silent,
    new Metrics(),
  );
  const job = await accepting.accept(USER);
  return { tried, batch: BigInt(job) / 1_000n };
}

test('an insert whose answer was lost is sent again under the same id', async () => {
  expect(await accept(['lost', 'lost', 'stored'], true)).toEqual({ tried: [1_000n, 1_000n, 1_000n], batch: 1_000n });
});

test('a repeat that finds its own batch is stored', async () => {
  expect(await accept(['lost', 'there'], true)).toEqual({ tried: [1_000n, 1_000n], batch: 1_000n });
});

test("a repeat that finds a stranger's batch takes an id of another block", async () => {
  expect(await accept(['lost', 'there', 'stored'], false)).toEqual({
    tried: [1_000n, 1_000n, 2_000n],
    batch: 2_000n,
  });
});

test("a first insert that finds its id there has met a stranger's, whatever that holds", async () => {
  expect(await accept(['there', 'stored'], true)).toEqual({ tried: [1_000n, 2_000n], batch: 2_000n });
});
