import { expect, test } from 'vitest';
import dispatch from './dispatch.js';

test('an argument is refused, before anything is started', async () => {
  await expect(dispatch(['ccampaign'])).rejects.toThrow('usage: npm run dispatch');
});
