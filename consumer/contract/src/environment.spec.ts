import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findRoot, readEnvironment } from './environment.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'disparo-environment-'));
  mkdirSync(join(root, '.local'));
  mkdirSync(join(root, 'consumer', 'typescript'), { recursive: true });
  writeFileSync(join(root, '.env.example'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

test('the environment wins over .env, and .env over the local services', () => {
  writeFileSync(join(root, '.local', 'services.env'), 'A=local\nB=local\nC=local\n');
  writeFileSync(join(root, '.env'), 'A=file\nB=file\n');
  expect(readEnvironment({ A: 'given' }, root)).toEqual({ A: 'given', B: 'file', C: 'local' });
});

test('an empty value means unset, wherever it stands', () => {
  writeFileSync(join(root, '.local', 'services.env'), 'A=local\nB=local\n');
  writeFileSync(join(root, '.env'), 'A=\n');
  expect(readEnvironment({ B: '' }, root)).toEqual({ A: 'local', B: 'local' });
});

test('a value may hold =, # in quotes, and percent-encoded characters', () => {
  writeFileSync(join(root, '.env'), 'RABBITMQ_URL=amqps://u:p%40ss@host/v?x=1\nB="a # b"\n');
  expect(readEnvironment({}, root)).toEqual({ RABBITMQ_URL: 'amqps://u:p%40ss@host/v?x=1', B: 'a # b' });
});

test('the root is found from any folder below it, and is undefined outside of a clone', () => {
  expect(findRoot(join(root, 'consumer', 'typescript'))).toBe(root);
  expect(findRoot(tmpdir())).toBeUndefined();
});
