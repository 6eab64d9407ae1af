import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simpleParser } from 'mailparser';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { onServer, ownDatabase } from '../../testing/databases.js';

vi.setConfig({ testTimeout: 120_000 });

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'disparo-demo-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the whole command, as npm does for a caller in another folder. */
async function demo(...args: string[]): Promise<{ code: number; output: string }> {
  return demoWith({}, ...args);
}

async function demoWith(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, ['infra/local/run.mjs', 'demo', ...args], {
    env: { ...process.env, INIT_CWD: folder, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += data;
    });
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

test('the sample becomes five documents in the order of the file, and the campaign is enviado', async () => {
  const { code, output } = await demo();

  expect(output).toContain('MongoDB: 5 documents');
  expect(
    [...output.matchAll(/│ (\d) {8}│ (\+55\d+) │/g)].map(([, sequence, number]) => `${sequence} ${number}`),
  ).toEqual(['1 +5511987654321', '2 +5521998765432', '3 +5531987651234', '4 +5541988887777', '5 +5585991234567']);
  expect(output).toMatch(/│ enviado │ 5 +│ 5 +│ 5 +│/);
  expect(output).toContain('5 lines, 5 accepted, 0 duplicate, 0 invalid, 0 blank\n');
  expect(code).toBe(0);
});

test('a file of one’s own shows its rejected lines with their reason', async () => {
  const mixed = file('mixed.txt', 'phone\n11987654321\n11987654321\nnot a number\n1133334444\n\n');
  const { code, output } = await demo(mixed);

  expect(output).toMatch(/MongoDB: 1 document\b/);
  expect(output).toContain('File mixed.txt: 6 lines, 1 accepted, 1 duplicate, 2 invalid, 2 blank\n');
  expect(output).toContain('line 4: not_a_number  not a number');
  expect(output).toContain('line 5: not_mobile  1133334444');
  expect(code).toBe(0);
});

test('a file that the API refuses is one line with its reason, without the API’s log', async () => {
  const refused = file('refused.txt', 'nobody\n');
  const { code, output } = await demo(refused);

  expect(output).toMatch(/^Refused: .*\(CAMPAIGN\.FILE_EMPTY\)$/m);
  expect(output).not.toContain('api |');
  expect(code).toBe(78);
});

test('a wrong key is one line that names it, before anything is started', async () => {
  expect(await demoWith({ JWT_SECRET: 'short' })).toEqual({
    code: 78,
    output: 'JWT_SECRET: must be 32 bytes or more\n',
  });
});

test.each([
  ['missing.txt', 'missing.txt: there is no such file\n'],
  ['.', '. is not a file\n'],
])('%s is refused before anything is started', async (name, line) => {
  expect(await demo(name)).toEqual({ code: 78, output: line });
});

test('an empty file is refused before anything is started', async () => {
  expect(await demo(file('empty.txt', ''))).toEqual({ code: 78, output: 'empty.txt is empty\n' });
});

test('an unknown consumer is refused before anything is started', async () => {
  expect(await demo('--consumer', 'typescript,java')).toEqual({
    code: 78,
    output: 'There is no consumer "java"; there are typescript, rust and go\n',
  });
});

test.each([
  ['--events', 'file.txt'],
  ['--consumer=rust', '--events'],
  ['--billing', '--rows=0'],
  ['--billing', '--rows=5', 'file.csv'],
])('%s %s is refused', async (...args) => {
  const { code, output } = await demo(...args);
  expect([code, output.split(' ', 4).join(' ')]).toEqual([78, 'usage: npm run demo']);
});

/** The table of attempts, without how long each took; events in the order in which they were sent. */
function attemptsIn(output: string): string[] {
  const events =
    /^POST \/api\/events: A-1 is (evt_\d+), A-2 is (evt_\d+), A-3 is (evt_\d+)$/m.exec(output)?.slice(1) ?? [];
  const rows = [...output.matchAll(/^│ (evt_\d+) +│ (\w+) +│ (\d+) +│ (\d+) +│ \d+ ms +│ (\w+) +│$/gm)];
  return rows.map(([, event = '', ...cells]) => [`A-${events.indexOf(event) + 1}`, ...cells].join(' ')).toSorted();
}

const ATTEMPTS = [
  'A-1 shaky 1 500 yes',
  'A-1 shaky 2 500 yes',
  'A-1 shaky 3 200 yes',
  'A-1 steady 1 200 yes',
  'A-2 shaky 1 200 yes',
  'A-2 steady 1 200 yes',
  'A-3 shaky 1 200 yes',
  'A-3 steady 1 200 yes',
];

test('three events reach two endpoints, signed, one after two failures', async () => {
  const { code, output } = await demo('--events');

  expect(output.match(/: signature verified, with one byte changed it is refused; answered \d+$/gm)).toHaveLength(8);
  expect(attemptsIn(output)).toEqual(ATTEMPTS);
  expect([code, output]).toEqual([0, expect.not.stringMatching(/MongoDB|RabbitMQ|whsec_/)]);
});

test('webhooks of a given database are not sent: the demo has a schema there', async () => {
  const given = await ownDatabase();
  try {
    for (const round of [1, 2]) {
      const { code, output } = await demoWith({ DATABASE_URL: given.url }, '--events');
      expect([round, code, attemptsIn(output)]).toEqual([round, 0, ATTEMPTS]);
    }
    const tables = "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname !~ '^pg_|^information_schema$'";
    expect(await onServer(given.url, tables)).toEqual([{ schemaname: 'disparo_demo' }]);
  } finally {
    await given.drop();
  }
});

/** Debts of a file of a person's own: two of them, one line twice, one with other content, one that is wrong. */
const DEBTS = [
  'name;governmentId;email;debtAmount;debtDueDate;debtId',
  'Ana Exemplo;52998224725;ana@example.com;150,00;2030-01-15;a73e1574-b658-4942-9ccb-980c00e827ce',
  'Ana Exemplo;52998224725;ana@example.com;150,00;2030-01-15;a73e1574-b658-4942-9ccb-980c00e827ce',
  'Ana Exemplo;52998224725;ana@example.com;151,00;2030-01-15;a73e1574-b658-4942-9ccb-980c00e827ce',
  'Beto Exemplo;0123;beto@example.com;1;2030-01-15;76c1d70a-3284-4f40-aba6-ba578279968f',
  'Caio Exemplo;0123;caio@example.com;1;2030-01-15;4711',
];

test('debts become boletos and one e-mail each, one is paid, and the same file changes nothing', async () => {
  // Nobody listens there: whatever server is configured, the demo has a catcher of its own.
  const elsewhere = { SMTP_URL: 'smtp://127.0.0.1:9', SMTP_FROM: 'real@example.com' };
  const { code, output } = await demoWith(elsewhere, '--billing', file('debts.csv', DEBTS.join('\n')));

  expect(output).toContain('File debts.csv: 5 lines, 2 created, 1 repeated, 1 conflicting, 1 rejected, 0 blank\n');
  expect(output).toContain('line 6, debtId: debt_id_invalid  4711\n');
  const pdfs = [...output.matchAll(/^ {2}PDF {5}(.+\.pdf)$/gm)].map(([, path = '']) => readFileSync(path));
  expect(pdfs.map((pdf) => pdf.subarray(0, 5).toString())).toEqual(['%PDF-', '%PDF-']);
  expect(output.match(/^ {2}(boleto {2}\d{5}\.\d{5} |Pix {5}000201)/gm)).toHaveLength(4);
  const shown = [...output.matchAll(/^ {2}(\/.+\.eml)$/gm)].map(([, path = '']) => path);
  const folder = /^E-mails in (.+): one for each debt,/m.exec(output)?.[1] ?? '';
  expect(readdirSync(folder).filter((name) => name.endsWith('.eml'))).toHaveLength(2);
  const mails = await Promise.all(shown.map((path) => simpleParser(readFileSync(path))));
  const read = mails.map(({ to, from, attachments }) => ({
    to: [to ?? []].flat().flatMap(({ value }) => value),
    from: from?.value[0]?.address,
    attached: attachments.length,
  }));
  const common = { from: 'cobranca@disparo.example', attached: 1 };
  expect(read).toEqual([
    { to: [{ name: 'Beto Exemplo', address: 'beto@example.com' }], ...common },
    { to: [{ name: 'Ana Exemplo', address: 'ana@example.com' }], ...common },
  ]);
  expect(output.match(/: (401|200) \S+$/gm)).toEqual([
    ': 401 BILLING.SIGNATURE_INVALID',
    ': 200 recorded',
    ': 200 repeated',
  ]);
  expect(output).toMatch(/│ imported +│ 2 +│ R\$\s151,00 +│/);
  // By their uuid the one of Beto comes first.
  expect(output).toMatch(/│ paid +│ 1 +│ R\$\s1,00 +│/);
  expect(output).toContain('It changes nothing: 3 lines repeat a debt, none has created one\n');
  expect([code, output]).toEqual([0, expect.not.stringMatching(/MongoDB|RabbitMQ/)]);
});

test('a file of debts without one is refused by line, and no boleto is awaited', async () => {
  const { code, output } = await demo('--billing', file('wrong.csv', `${DEBTS[0]}\n${DEBTS[5]}\n`));
  expect(output).toContain('File wrong.csv: 1 lines, 0 created, 0 repeated, 0 conflicting, 1 rejected, 0 blank\n');
  expect([code, output]).toEqual([0, expect.not.stringContaining('Boletos')]);
});
