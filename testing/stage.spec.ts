import { readEnvironment } from '@disparo/contract';
import { expect, test } from 'vitest';
import { ApiStage } from './api-stage.js';
import { onServer } from './databases.js';

test('a second process has the same stores, which only their stage removes', async () => {
  const stage = await ApiStage.open();
  try {
    const { id, token } = await stage.user();
    const other = await stage.beside();
    expect(other.url).not.toBe(stage.url);
    expect((await other.api('GET', `/api/users/${id}`, { token })).status).toBe(200);
    await other.close();
    expect((await stage.api('GET', `/api/users/${id}`, { token })).status).toBe(200);
  } finally {
    await stage.close();
  }
  const named = `SELECT FROM pg_database WHERE datname = '${stage.env.QUEUE_PREFIX}'`;
  expect(await onServer(readEnvironment().DATABASE_URL ?? '', named)).toEqual([]);
});
