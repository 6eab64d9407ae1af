import { expect, test } from 'vitest';
import type { Config } from '../../platform/config.js';
import { ContactsBusy } from '../contacts.errors.js';
import type { Backlog, ContactsRepository } from '../contacts.repository.js';
import { ContactsBacklog } from './contacts-backlog.js';

const LIMIT = 10;

/** What a caller is told while the store says `known` and this process has added `added` jobs since: seconds, or nothing. */
async function retryAfter(known: Backlog, added: number): Promise<number | undefined> {
  const repository = { backlog: async () => known } as ContactsRepository;
  const backlog = new ContactsBacklog(repository, { contactsMaxWaiting: LIMIT } as Config);
  await backlog.requireRoom(0).catch(() => undefined);
  backlog.added(added);
  const refused = await backlog.requireRoom(1).catch((error: unknown) => error);
  if (refused === undefined) return undefined;
  if (!(refused instanceof ContactsBusy)) throw refused;
  return Number(refused.headers?.['retry-after']);
}

test.each<[what: string, known: Backlog, added: number, seconds: number | undefined]>([
  ['there is room', { waiting: 5, done: 0 }, 4, undefined],
  ['one too many after an idle time', { waiting: 0, done: 0 }, LIMIT, 1],
  ['nothing gets on', { waiting: 20, done: 0 }, 0, 60],
  ['a hundred too many, ten a second', { waiting: LIMIT + 99, done: 100 }, 0, 10],
  ['one too many, a thousand a second', { waiting: LIMIT, done: 10_000 }, 0, 1],
])('%s', async (_, known, added, seconds) => {
  expect(await retryAfter(known, added)).toBe(seconds);
});
