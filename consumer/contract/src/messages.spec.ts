import { expect, test } from 'vitest';
import { messageId, messageRange, messagesDatabase } from './messages.js';

test('ids sort as their sequences do, and a range holds one campaign only', () => {
  const ids = [messageId('ab', 2), messageId('ab', 10), messageId('ab', 999_999_999)];
  expect([...ids].sort()).toEqual(ids);
  const { $gt, $lt } = messageRange('ab', 2);
  const inRange = [messageId('aa', 3), ...ids, messageId('ab1', 3), messageId('abc', 3), messageId('b', 1)].filter(
    (id) => id > $gt && id < $lt,
  );
  expect(inRange).toEqual([messageId('ab', 10), messageId('ab', 999_999_999)]);
});

test.each([
  ['mongodb://h/', 'disparo'],
  ['mongodb://h', 'disparo'],
  ['mongodb://u:p@a:1,b:2/other?authSource=admin', 'other'],
  ['mongodb://h/?replicaSet=rs', 'disparo'],
  ['mongodb+srv://u:p@cluster/with%20blank', 'with blank'],
])('the database of %s is %s', (url, name) => {
  expect(messagesDatabase(url)).toBe(name);
});
