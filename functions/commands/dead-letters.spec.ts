import { expect, test } from 'vitest';
import deadLetters from './dead-letters.js';

test.each([
  ['list', { command: 'list' }],
  ['show 1', { command: 'show', place: 1 }],
  ['replay', { command: 'replay', place: undefined }],
  ['replay --all', { command: 'replay', place: undefined }],
  ['replay 500', { command: 'replay', place: 500 }],
  ['drop 2', { command: 'drop', place: 2 }],
  ['drop --all', { command: 'drop', place: undefined }],
])('%s is taken', (words, task) => {
  expect(deadLetters.task(words.split(' '))).toEqual(task);
});

test.each([
  '',
  'drop',
  'drop all',
  'drop --al',
  'drop --all 2',
  'drop 2 --all',
  'drop 0',
  'drop -1',
  'drop 1.5',
  'drop 1e3',
  'drop  2',
  'show',
  'show --all',
  'list 1',
  'list --all',
  'replay 1 2',
  'Drop --all',
  'toString',
])('"%s" is refused', (words) => {
  expect(deadLetters.task(words === '' ? [] : words.split(' '))).toBeUndefined();
});
