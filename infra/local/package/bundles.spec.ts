import { execFile } from 'node:child_process';
import { statSync, utimesSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { BUNDLES, makeBundles } from './bundles.js';

vi.setConfig({ testTimeout: 120_000 });

const version = (file: string) => statSync(file).mtimeMs;

test('bundles are made again when what they are made of has changed, and only then', async () => {
  await makeBundles();
  const before = version(`${BUNDLES}/.made-of`);
  await makeBundles();
  expect(version(`${BUNDLES}/.made-of`)).toBe(before);

  utimesSync('serverless.yml', new Date(), new Date());
  await makeBundles();
  expect(version(`${BUNDLES}/.made-of`)).not.toBe(before);
});

test('a bundle that comes out the same is not written again, under a process that loads it', async () => {
  await makeBundles();
  const before = version(`${BUNDLES}/server.js`);
  utimesSync('serverless.yml', new Date(), new Date());
  await makeBundles();
  expect(version(`${BUNDLES}/server.js`)).toBe(before);
});

test('a stack names the source', async () => {
  const bundle = pathToFileURL(`${BUNDLES}/api.js`).href;
  const code = `
    const { handler } = await import(${JSON.stringify(bundle)});
    await handler({}, {}).catch(({ stack }) => console.log(stack));`;
  const args = ['--enable-source-maps', '--input-type=module', '--eval', code];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  expect(stdout).toMatch(/functions\/boot\.ts:\d+:\d+/);
});
