import { describe, expect, it } from 'vitest';
import { openStage } from '../campaign.js';
import { requireAll } from './routine.js';
import { ROUTINES } from './routines.js';

const WAYS = ROUTINES.flatMap(({ name, ways }) => ways.map((way) => [name, way.name, way] as const));

describe('the routines', () => {
  // Each way checks itself that all items are done, and throws otherwise.
  it.each(WAYS)('%s: does all of it, %s', async (_, __, way) => {
    const stage = await openStage();
    try {
      expect(await way.run(stage, 20)).toBeGreaterThan(0);
    } finally {
      await stage.close();
    }
  });

  it('measures no way that does less or more than was asked', () => {
    expect(() => requireAll(19, 20)).toThrow('19 of 20');
    expect(() => requireAll(20, 20)).not.toThrow();
  });
});
