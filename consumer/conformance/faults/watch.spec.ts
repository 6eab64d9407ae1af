import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { System } from './system.js';
import { Watch } from './watch.js';

/** A watch on a ledger whose queries fail with these errors, one after the other, and then find no campaign. */
function watching(...errors: Error[]): Watch {
  const closing = new AbortController();
  onTestFinished(() => closing.abort());
  const query = async () => {
    await setImmediate();
    const error = errors.shift();
    if (error) throw error;
    return { rows: [] };
  };
  return new Watch({ over: closing.signal, pool: { query } } as unknown as System);
}

describe('the watch', () => {
  it('goes on looking after an outage', async () => {
    const watch = watching(Object.assign(new Error(), { code: 'ECONNREFUSED' }), new Error('Connection terminated'));
    await expect.poll(() => watch.looks).toBeGreaterThan(0);
  });

  it('fails with the message of what no outage explains', async () => {
    await expect(watching(new Error('column "stored" does not exist')).failed).rejects.toThrow(
      'column "stored" does not exist',
    );
  });
});
