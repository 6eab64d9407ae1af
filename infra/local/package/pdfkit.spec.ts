import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, expect, test, vi } from 'vitest';
import type { BoletoView } from '../../../functions/billing/issue/document/boleto-view.js';
import { boletoPdf } from '../../../functions/billing/issue/document/pdf.js';
import { readPage } from '../../../functions/test/billing/pdf-reader.js';
import { bundleOptions, COMPILED } from './bundles.js';

vi.setConfig({ testTimeout: 120_000 });

/** Outside of the clone, so that a bundle finds none of its packages. */
const folder = mkdtempSync(join(tmpdir(), 'disparo-pdfkit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BOLETO: Omit<BoletoView, 'ourNumber'> = {
  ...{ beneficiary: 'Comércio São José', beneficiaryDocument: '12345678000195', city: 'SAO PAULO', agreement: 1 },
  ...{ debtId: '1adb6ccf-ff16-467f-bea7-5f05d494280f', name: 'Fulana de Tal', governmentId: '11111111111' },
  ...{ cents: 100_000_000, dueOn: '2022-10-12', issuedOn: '2022-09-01', brCode: 'code', notice: 'EXEMPLO' },
  barcode: '99991913601000000001700000100000000000000001',
  line: '99991700050010000000900000000018191360100000000',
};
const PROGRAM = `
const [bundle, boleto, file] = process.argv.slice(1);
const { boletoPdf } = await import(bundle);
const { writeFileSync } = await import('node:fs');
writeFileSync(file, await boletoPdf({ ...JSON.parse(boleto), ourNumber: 1n }));
`;

test.each([
  ['as a zip has it', { minifySyntax: true, minifyWhitespace: true }],
  ['with names and parts as this machine runs it', { splitting: true, sourcemap: true }],
])('a bundle alone makes the same page of PDF, %s', async (_, options) => {
  const outdir = mkdtempSync(join(folder, 'bundle-'));
  await build({
    ...bundleOptions(),
    ...options,
    entryPoints: [`${COMPILED}/billing/issue/document/pdf.js`],
    outdir,
    outExtension: { '.js': '.mjs' },
  });
  const file = join(outdir, 'boleto.pdf');
  const args = ['--input-type=module', '--eval', PROGRAM, join(outdir, 'pdf.mjs'), JSON.stringify(BOLETO), file];
  await promisify(execFile)(process.execPath, args, { cwd: outdir, env: {} });
  expect(readPage(readFileSync(file))).toEqual(readPage(await boletoPdf({ ...BOLETO, ourNumber: 1n })));
});
