import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program } from './program.js';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'disparo-program-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function program(text: string): Program {
  const script = join(folder, 'program.mjs');
  writeFileSync(script, text);
  return new Program(pathToFileURL(script).href, {}, join(folder, 'output'));
}

describe('a program of the faults', () => {
  it('is killed by us when it was alive', async () => {
    const living = program('setInterval(() => {}, 1000);');
    expect(await living.kill()).toBe('killed by us');
    expect(await living.ended).toBe('killed by us');
  });

  it.each([
    ['an exit code', 'process.exit(3)', 'code 3'],
    ['0', '', 'code 0'],
    ['an abort', `process.kill(process.pid, 'SIGABRT')`, 'SIGABRT'],
    ['a SIGKILL of somebody else, such as a kernel without memory', `process.kill(process.pid, 'SIGKILL')`, 'SIGKILL'],
  ])(
    'has ended by itself with %s, and a kill that comes later does not take it for its own',
    async (_, text, ending) => {
      const dying = program(text);
      await dying.ended;
      expect(await dying.kill()).toBe(ending);
    },
  );
});
