import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import { freePort } from './ports.js';

/** Says which port it was given and the random number that chose it, and holds it until its input ends. */
const HOLDER = `
  const { freePort } = await import(${JSON.stringify(pathToFileURL('dist/services/ports.js').href)});
  const random = Math.random;
  let drawn;
  Math.random = () => (drawn = random());
  process.stdout.write(JSON.stringify([await freePort(), drawn]));
  process.stdin.resume();
`;

test('no other process gets the port that one was given, until that one ends', async () => {
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', HOLDER], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  const [said] = await once(holder.stdout, 'data');
  const [port, drawn] = JSON.parse(String(said)) as [number, number];
  const random = vi.spyOn(Math, 'random');

  random.mockReturnValueOnce(drawn);
  expect(await freePort()).not.toBe(port);

  holder.stdin.end();
  await ended;
  random.mockReturnValueOnce(drawn);
  expect(await freePort()).toBe(port);
});

test('a port that was given refuses callers, and is given once', async () => {
  const random = vi.spyOn(Math, 'random');
  const port = await freePort();
  const [error] = await once(connect(port, '127.0.0.1'), 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  random.mockReturnValueOnce(random.mock.results.at(-1)?.value as number);
  expect(await freePort()).not.toBe(port);
});
