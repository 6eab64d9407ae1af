import multipart from '@fastify/multipart';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import type { Memberships } from '../../accounts/companies/memberships.js';
import type { Config } from '../../platform/config.js';
import { Deadline } from '../../platform/deadline.js';
import { ServiceUnavailable } from '../../platform/problem.js';
import type { Runtime } from '../../platform/runtime.js';
import type { Postgres } from '../../platform/stores/postgres.js';
import type { Log } from '../../platform/telemetry/log.js';
import type { AcceptImport } from './accept-import.js';
import type { ImportsRepository, NewImport } from './imports.repository.js';
import type { ImportView } from './imports.schemas.js';
import type { MergeImports } from './merge-imports.js';
import { ReceiveImport } from './receive-import.js';

const COMPANY = 'tz4a98xxat96iws9zmbrgj3a';
const MADE: NewImport = {
  importNo: 7,
  id: 'q3k5x7m2w9c4v6b8n1z0s2d4',
  companyNo: 1,
  userId: 'ana',
  fileName: 'debts.csv',
  bytes: 100,
  sha256: Buffer.from('ab', 'hex'),
  lines: 6,
  blank: 1,
  accepted: 3,
  rejected: 2,
};
const AWAY = new ServiceUnavailable('PostgreSQL is away');

/** Sends a file whose accept commits, after which its request's deadline passes and the database is away. */
async function receive(): Promise<{ answer: ImportView; deadlines: Record<string, Deadline | undefined> }> {
  const deadlines: Record<string, Deadline | undefined> = {};
  const away = (name: string) => async () => {
    deadlines[name] = Deadline.current();
    throw AWAY;
  };
  const nothing = () => {};
  const receiving = new ReceiveImport(
    { uploadLimitMib: 1 } as Config,
    { kind: 'server', stopping: new AbortController().signal } as Runtime,
    { requireMember: async () => {} } as unknown as Memberships,
    { transaction: (action: (sql: unknown) => unknown) => action({}) } as unknown as Postgres,
    {
      inPlace: (work: () => unknown) => work(),
      committed: nothing,
      accept: async () => {
        deadlines.accept = Deadline.current();
        return MADE;
      },
    } as unknown as AcceptImport,
    { mergeImport: away('merge') } as unknown as MergeImports,
    { find: away('find') } as unknown as ImportsRepository,
    { info: nothing, warn: nothing } as unknown as Log,
  );
  const deadline = new Deadline({ refuseMs: 60_000, endMs: 60_000 });
  const app = fastify();
  await app.register(multipart);
  app.post('/', (request) => deadline.run(() => receiving.receive('ana', request)));
  try {
    const form = new FormData();
    form.set('company_id', COMPANY);
    form.set('file', new Blob(['name\n']), 'debts.csv');
    const response = await fetch(await app.listen({ port: 0, host: '127.0.0.1' }), { method: 'POST', body: form });
    expect(deadlines.accept).toBe(deadline);
    return { answer: (await response.json()) as ImportView, deadlines };
  } finally {
    deadline.close();
    await app.close();
  }
}

test('a committed import is answered though the database goes away: else the file would be sent again', async () => {
  const { answer } = await receive();
  expect(answer).toEqual({
    id: MADE.id,
    company_id: COMPANY,
    file_name: 'debts.csv',
    sha256: 'ab',
    bytes: 100,
    status: 'importando',
    lines: 6,
    blank: 1,
    accepted: 3,
    rejected: 2,
    waiting: 3,
    created: 0,
    repeated: 0,
    conflicting: 0,
    percent: 0,
    repeats_import: null,
    rejects: [],
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    finished_at: null,
  });
});

test('what follows the commit is under no deadline: the request has stored what it says', async () => {
  const { deadlines } = await receive();
  expect(deadlines).toEqual({ accept: expect.any(Deadline), merge: undefined, find: undefined });
  expect(Object.keys(deadlines).sort()).toEqual(['accept', 'find', 'merge']);
});
