import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { announceApi, runningApis } from './running-api.js';

let root = '';
const roots: string[] = [];
const ours = () => true;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'disparo-apis-'));
  roots.push(root);
});

afterAll(() => {
  for (const folder of roots) rmSync(folder, { recursive: true });
});

/** Writes the note of another process's command, made `secondsAgo`. */
function noted(pid: number, base: string, secondsAgo: number): string {
  announceApi('http://127.0.0.1:1', root);
  const file = join(root, '.local', 'apis', String(pid));
  writeFileSync(file, base);
  const then = Date.now() / 1_000 - secondsAgo;
  utimesSync(file, then, then);
  return file;
}

test('in a clone in which nothing ever ran there is none', () => {
  expect(runningApis(root)).toEqual([]);
});

test('the newest is the first', () => {
  noted(4_000_001, 'http://127.0.0.1:3100', 60);
  noted(4_000_002, 'http://127.0.0.1:3200', 30);
  noted(process.pid, 'http://127.0.0.1:3000', 90);
  expect(runningApis(root, ours)).toEqual(['http://127.0.0.1:3200', 'http://127.0.0.1:3100', 'http://127.0.0.1:3000']);
});

test('what a command that was killed has left is no API, and is removed', () => {
  const dead = noted(4_000_001, 'http://127.0.0.1:3100', 1);
  expect(runningApis(root)).toEqual([]);
  expect(existsSync(dead)).toBe(false);
});

test('a pid that another program has by now is not an API', () => {
  noted(1, 'http://127.0.0.1:3100', 1);
  expect(runningApis(root)).toEqual([]);
});
