import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { EraseDebts } from '../../billing/retention/erase-debts.js';
import { EraseDebtsRepository } from '../../billing/retention/erase-debts.repository.js';
import { EraseImportsRepository } from '../../billing/retention/erase-imports.repository.js';
import { SettleRepository } from '../../billing/send/settle.repository.js';
import retentionCommand from '../../commands/retention.js';
import type { Config } from '../../platform/config.js';
import { Postgres, type Sql } from '../../platform/stores/postgres.js';
import { Retention } from '../../retention/retention.js';
import { ran } from '../campaigns/fixtures.js';
import { someBiller, someDebt, store, type TestBiller, withoutIssuing } from './fixtures.js';
import { fileOf, find, formOf, imported, lineOf, send } from './import-fixtures.js';
import { debtRow, pay, somePayment, withSecret } from './paying.js';
import { columnsWith, whileLocked, withTraces } from './personal.js';

const NAME = 'Zulmira Quaresma';
const DOCUMENT = '52998224725';
const EMAIL = 'zulmira@quaresma.example';
/** In the order in which they are stored. */
const WHO = [NAME, DOCUMENT, EMAIL];

let stage: ApiStage;
let postgres: Postgres;
let biller: TestBiller;
beforeAll(async () => {
  stage = await ApiStage.open();
  postgres = new Postgres({ databaseUrl: stage.env.DATABASE_URL } as Config);
  biller = await someBiller(stage);
  await withoutIssuing(stage, biller);
});
afterAll(async () => {
  await postgres?.close();
  await stage?.close();
});

const zulmira = (values: object = {}) => someDebt({ name: NAME, governmentId: DOCUMENT, email: EMAIL, ...values });
/** The module as the command has it, in the process of the test: a process takes a second to start. */
function retention(debts = new EraseDebtsRepository(postgres)): Retention {
  const made = new Retention();
  new EraseDebts(debts, new EraseImportsRepository(postgres), made);
  return made;
}
const NEVER = new AbortController().signal;
const erase = (dryRun = false) => retention().erase(30, { dryRun, stop: NEVER });
const command = (...args: string[]) => ran(stage, 'retention', args);
/** What a run says that finds nothing. */
const NONE = { line: '', complete: true };
/** And one that erases one debt. */
const ONE = { line: expect.stringMatching(/^who owed 1 closed debts older than 30 days erased, /), complete: true };
const rowOf = async (seq: string) => (await stage.sql('SELECT * FROM billing_debts WHERE seq = $1', [seq]))[0];
const erasedRow = (row: object | undefined) => ({
  ...row,
  ...{ name: '', government_id: '', email: '', failure: null, erased_at: expect.any(Date) },
});

/** Stores a debt of hers that is paid, cancelled, or neither, with all that a debt leaves behind. Returns its seq. */
async function stored(state: 'paid_at' | 'cancelled_at' | undefined, of = biller, debt = zulmira()): Promise<string> {
  const [seq = ''] = await store(stage, of, [debt]);
  await withTraces(stage, seq, debt.email);
  if (state) await stage.sql(`UPDATE billing_debts SET ${state} = now() WHERE seq = $1`, [seq]);
  return seq;
}

/** Makes debts older, with what came in before. */
async function age(days: number, ...seqs: string[]): Promise<void> {
  const by = 'make_interval(days => $2)';
  await stage.sql(`UPDATE billing_debts SET updated_at = updated_at - ${by} WHERE seq = ANY ($1)`, [seqs, days]);
}

/** Ends what a test has begun, so that the next one finds no debt of hers. */
async function none(): Promise<void> {
  await stage.sql('TRUNCATE billing_debts, billing_deliveries, billing_attempts, billing_payments, billing_rejects');
  await stage.sql('TRUNCATE billing_imports CASCADE');
}

describe('npm run retention -- --older-than', () => {
  test('of what is paid or cancelled and old, nobody is named anywhere any more', async () => {
    const secret = await withSecret(stage, biller);
    const file = fileOf(`${NAME},${DOCUMENT},${EMAIL},x,2026-12-31,00000000-0000-4000-8000-000000000000`, `${NAME}`);
    const { id } = await imported(stage, biller.owner, biller.company, file);
    await stage.sql('UPDATE billing_imports SET file_name = $1', [`${NAME}.csv`]);
    const unmatched = somePayment('x', { debt_id: `CPF ${DOCUMENT}`, paid_by: NAME });
    expect((await pay(stage, biller.company.id, secret, unmatched)).body).toEqual({ result: 'unmatched' });
    const seqs = [await stored('paid_at'), await stored('cancelled_at')];
    const before = await Promise.all(seqs.map(rowOf));
    await age(31, ...seqs);
    await stage.sql("UPDATE billing_imports SET created_at = created_at - interval '31 days'");
    await stage.sql("UPDATE billing_payments SET received_at = received_at - interval '31 days' WHERE seq IS NULL");
    const whole = await columnsWith(stage, ...WHO);
    const traces = '2 rejects of imports, 2 payers, 3 names of files, 0 unmerged parts of files';

    expect(await command('--older-than', '30', '--dry-run')).toEqual([
      0,
      expect.stringContaining(`who owed 2 closed debts older than 30 days would be erased, ${traces}`),
    ]);
    expect(await columnsWith(stage, ...WHO)).toEqual(whole);
    expect(await command('--older-than', '30')).toEqual([
      0,
      expect.stringContaining(`who owed 2 closed debts older than 30 days erased, ${traces}`),
    ]);
    expect([whole.length, await columnsWith(stage, ...WHO)]).toEqual([11, []]);
    for (const [index, seq] of seqs.entries())
      expect(await rowOf(seq)).toEqual(erasedRow({ ...before[index], updated_at: expect.any(Date) }));
    expect(await find(stage, biller.owner, biller.company, id)).toMatchObject({
      ...{ lines: 2, rejected: 2, accepted: 0, rejects: [], file_name: null },
    });
    expect(await erase()).toEqual(NONE);
  });

  test('an erased debt is shown with its money and dates, and with nobody', async () => {
    const debt = zulmira();
    const seq = await stored('paid_at', biller, debt);
    const path = `/api/billing/debts/${debt.debtId}?company_id=${biller.company.id}`;
    const before = (await stage.api('GET', path, { token: biller.owner.token })).body;
    await age(31, seq);
    await erase();
    const after = (await stage.api('GET', path, { token: biller.owner.token })).body;
    expect(after).toEqual({
      ...before,
      ...{ name: '', government_id: '', government_id_kind: 'unverified', email: '', updated_at: expect.any(String) },
      deliveries: (before.deliveries as object[]).map((each) => ({ ...each, response: null })),
    });
    const csv = await stage.api('GET', path.replace(`/${debt.debtId}`, '.csv'), { token: biller.owner.token });
    expect(csv.body).toContain(`${debt.debtId},,,unverified,,100.00,10000,2026-12-31,paga,`);
    await none();
  });

  test('leaves whole what is owed, however old, and what has changed since', async () => {
    const [owed, young] = [await stored(undefined), await stored('paid_at')];
    await age(400, owed);
    await age(29, young);
    const before = [await rowOf(owed), await rowOf(young)];
    expect(await erase()).toEqual(NONE);
    expect([await rowOf(owed), await rowOf(young)]).toEqual(before);
    await none();
  });

  test('waits for a mail that is under way, and not for one that a person never decided about', async () => {
    const [sending, held] = [await stored('paid_at'), await stored('paid_at')];
    const open = `UPDATE billing_deliveries SET outcome = NULL, held_at = $2 WHERE seq = $1`;
    await stage.sql(open, [sending, null]);
    await stage.sql(open, [held, new Date()]);
    const unheard = 'UPDATE billing_attempts SET ended_at = NULL, began_at = now() - $2::interval WHERE seq = $1';
    await stage.sql(unheard, [sending, '50 minutes']);
    await stage.sql(unheard, [held, '70 minutes']);
    await age(31, sending, held);
    const told = '1 debts are in use, by a mail under way for instance: run it again in an hour';
    expect(await erase(true)).toEqual({
      line: expect.stringMatching(`^who owed 1 closed debts .*, ${told}$`),
      complete: false,
    });
    expect((await rowOf(held))?.name).toBe(NAME);
    expect(await erase()).toEqual({
      line: expect.stringMatching(`^who owed 1 closed debts .*, ${told}$`),
      complete: false,
    });
    const [before, gone] = [await rowOf(sending), await rowOf(held)];
    expect([before, gone]).toEqual([
      expect.objectContaining({ name: NAME, erased_at: null }),
      expect.objectContaining({ name: '' }),
    ]);
    await stage.sql('UPDATE billing_attempts SET ended_at = now() WHERE seq = $1', [sending]);
    expect(await erase()).toEqual(ONE);
    expect(await columnsWith(stage, ...WHO)).toEqual([]);
    await none();
  });

  test('waits for nobody who holds a debt: it says so, and what has changed by then stays', async () => {
    const [held, free] = [await stored('cancelled_at'), await stored('cancelled_at')];
    await age(31, held, free);
    const change = `UPDATE billing_debts SET updated_at = clock_timestamp() WHERE seq = ${held}`;
    await whileLocked(stage, change, async (keeper) => {
      expect(await erase()).toEqual({
        line: expect.stringMatching(/^who owed 1 closed debts .*, 1 debts are in use/),
        complete: false,
      });
      await keeper.query('COMMIT');
    });
    expect(await erase()).toEqual(NONE);
    expect([await rowOf(held), await rowOf(free)]).toMatchObject([{ name: NAME }, { name: '' }]);
    await none();
  });

  test('an erased debt is repeated whatever a file says, and the file brings nobody back', async () => {
    const debt = zulmira();
    const seq = await stored('cancelled_at', biller, debt);
    await age(31, seq);
    await erase();
    const before = await rowOf(seq);
    const file = fileOf(lineOf(debt), lineOf({ ...debt, name: 'Another', cents: 1 }));
    const again = await imported(stage, biller.owner, biller.company, file);
    expect(again).toMatchObject({ accepted: 2, created: 0, repeated: 2, conflicting: 0, rejects: [] });
    expect([await rowOf(seq), await columnsWith(stage, ...WHO)]).toEqual([before, []]);
    await none();
  });

  test('a payment that comes after it counts, and who paid goes when it is old', async () => {
    const secret = await withSecret(stage, biller, 'late');
    const debt = zulmira();
    const [seq = ''] = await store(stage, biller, [debt]);
    await stage.sql('UPDATE billing_debts SET cancelled_at = now() WHERE seq = $1', [seq]);
    await age(31, seq);
    await erase();
    const payment = somePayment(debt.debtId, { paid_by: NAME });
    expect((await pay(stage, biller.company.id, secret, payment)).body).toEqual({ result: 'recorded' });
    expect(await debtRow(stage, seq)).toMatchObject({ status: 'paga', paid_cents: '10000' });
    expect(await erase()).toEqual(NONE);
    expect(await columnsWith(stage, ...WHO)).toEqual(['billing_payments.paid_by']);
    // As time passes for all of it.
    await stage.sql(
      "UPDATE billing_debts SET updated_at = updated_at - interval '31 days', erased_at = erased_at - interval '62 days'",
    );
    expect(await erase()).toEqual(ONE);
    expect(await columnsWith(stage, ...WHO)).toEqual([]);
    expect(await erase()).toEqual(NONE);
    await none();
  });

  test('a note that is written after it is erased by its own age', async () => {
    const seq = await stored('paid_at');
    await stage.sql('UPDATE billing_deliveries SET outcome = NULL, held_at = now() WHERE seq = $1', [seq]);
    await age(31, seq);
    expect(await erase()).toEqual(ONE);
    const said = { sent: false, by: biller.owner.id, note: `${NAME} has none` };
    expect(await postgres.transaction((sql) => new SettleRepository().resolve(sql, seq, 1, said))).toBe(true);
    expect(await erase()).toEqual(NONE);
    // As time passes for all of it.
    await stage.sql(
      "UPDATE billing_debts SET updated_at = updated_at - interval '31 days', erased_at = erased_at - interval '62 days'",
    );
    expect(await erase()).toEqual(ONE);
    expect(await columnsWith(stage, ...WHO)).toEqual([]);
    await none();
  });

  test('a cancelled debt is written off at the bank, though its person is erased', async () => {
    const [seq = ''] = await store(stage, biller, [zulmira()]);
    await stage.sql("INSERT INTO simulated_bank_titles VALUES ($1, repeat('0', 44), 10000)", [seq]);
    await stage.sql(
      `UPDATE billing_debts SET cancelled_at = now(), asked_at = now(), next_at = 'infinity',
              updated_at = updated_at - interval '31 days' WHERE seq = $1`,
      [seq],
    );
    expect(await erase()).toEqual(ONE);
    await stage.sql('UPDATE billing_debts SET next_at = NULL WHERE seq = $1', [seq]);
    await stage.until(async () => (await rowOf(seq))?.written_off_at, 'it is written off');
    expect(await stage.sql('SELECT FROM simulated_bank_titles WHERE written_off_at IS NOT NULL')).toHaveLength(1);
    await none();
  });

  test('of a deleted company all is erased that is old, whatever its state, lines that were never merged, too', async () => {
    const leaving = await someBiller(stage, biller.owner);
    await withoutIssuing(stage, leaving);
    const seqs = [await stored(undefined, leaving), await stored('paid_at', leaving)];
    const { body } = await send(stage, biller.owner, formOf(leaving.company, fileOf(lineOf(zulmira()))));
    await stage.until(
      async () => (await find(stage, biller.owner, leaving.company, body.id)).status === 'importado',
      'it is merged',
    );
    await stage.api('DELETE', `/api/companies/${leaving.company.id}`, { token: biller.owner.token });
    await stage.sql(
      `INSERT INTO billing_import_chunks (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
       SELECT import_no, 9, 1, '{9}', ARRAY[$2], ARRAY[$3], ARRAY[$4], '{1}', '{2026-12-31}', ARRAY[gen_random_uuid()]
         FROM billing_imports WHERE id = $1`,
      [body.id, ...WHO],
    );
    await stage.sql("UPDATE billing_debts SET updated_at = updated_at - interval '31 days'");
    await stage.sql("UPDATE billing_imports SET created_at = created_at - interval '31 days', file_name = NULL");
    // It was deleted just now: by mistake, perhaps.
    expect(await erase()).toEqual(ONE);
    await stage.sql("UPDATE companies SET updated_at = updated_at - interval '31 days' WHERE id = $1", [
      leaving.company.id,
    ]);
    const told =
      'who owed 2 closed debts older than 30 days erased, 0 rejects of imports, 0 payers, 0 names of files, 1 unmerged parts of files';
    expect(await erase()).toEqual({ line: told, complete: true });
    expect(await rowOf(seqs[0] ?? '')).toMatchObject({ name: '', status: 'enviada' });
    expect(await columnsWith(stage, ...WHO)).toEqual([]);
    expect(await erase()).toEqual(NONE);
    await none();
  });
});

describe('npm run retention -- --document and --email', () => {
  const forget = (by: 'document' | 'email', value: string, dryRun = false) =>
    retention().forget(by, value, { dryRun, stop: NEVER });

  test('forgets one person, in any notation and whatever the age, and leaves all others', async () => {
    const seqs = [await stored('paid_at'), await stored('cancelled_at')];
    const other = await stored('paid_at', biller, someDebt());
    const before = await rowOf(other);
    const rejected = [`${NAME},529.982.247-25,${EMAIL}`, 'Another', `${EMAIL.toUpperCase()},x`];
    const { id } = await imported(stage, biller.owner, biller.company, fileOf(...rejected));
    const secret = await withSecret(stage, biller, 'forget');
    const paid = { debt_id: 'x', paid_by: `${NAME}, 529.982.247-25` };
    for (const debt_id of [DOCUMENT, `${DOCUMENT}${'0'.repeat(33)}`])
      await pay(stage, biller.company.id, secret, somePayment(debt_id, { ...paid, debt_id }));
    await stage.sql('UPDATE billing_imports SET file_name = $1 WHERE id = $2', [`cpf ${DOCUMENT}.csv`, id]);
    const told = '2 debts, 1 rejects of imports, 3 payers, 1 names of files, 0 unmerged parts of files';
    expect(await command('--document', '529.982.247-25', '--dry-run')).toEqual([0, `Would be forgotten in ${told}\n`]);
    expect(await command('--document', '529.982.247-25')).toEqual([0, `Forgotten in ${told}\n`]);
    expect((await rowOf(seqs[0] ?? ''))?.name).toBe('');
    // Money that fits no debt keeps its bar code.
    expect(await columnsWith(stage, DOCUMENT)).toEqual(['billing_payments.event_id', 'billing_payments.reference']);
    expect(await rowOf(other)).toEqual(before);

    await stored('paid_at', biller, zulmira({ governmentId: '1', email: EMAIL.toUpperCase() }));
    const byEmail = {
      line: 'Forgotten in 1 debts, 1 rejects of imports, 0 payers, 0 names of files, 0 unmerged parts of files',
      complete: true,
    };
    expect(await forget('email', EMAIL)).toEqual(byEmail);
    expect(await columnsWith(stage, EMAIL)).toEqual([]);
    await none();
  });

  test('a short document is found where a value is nothing else', async () => {
    const [short, long] = [await stored('paid_at', biller, zulmira({ governmentId: '1234' })), await stored('paid_at')];
    await stage.sql(
      "INSERT INTO billing_rejects SELECT import_no, 3 + n, 'governmentId', 'government_id_invalid', v FROM billing_imports, (VALUES (1, '12.34'), (2, '912345')) AS r (n, v) ORDER BY import_no LIMIT 2",
    );
    expect((await forget('document', '1234')).line).toContain('Forgotten in 1 debts, 1 rejects of imports');
    expect([await rowOf(short), await rowOf(long)]).toMatchObject([{ name: '' }, { name: NAME }]);
    await none();
  });

  test('a longer address is found where a refused value was cut', async () => {
    const address = `${'z'.repeat(60)}@${'quaresma.'.repeat(5)}example`;
    const rejected = [
      `${NAME},${DOCUMENT},${address}x@,1,2026-12-31,${someDebt().debtId}`,
      `Another,x,${address},1,y,z`,
    ];
    await imported(stage, biller.owner, biller.company, fileOf(...rejected));
    const kept = await stage.sql('SELECT value FROM billing_rejects WHERE value = $1', [address.slice(0, 64)]);
    expect(kept).toHaveLength(1);
    expect((await forget('email', address.toUpperCase())).line).toContain('Forgotten in 0 debts, 1 rejects of imports');
    expect(await columnsWith(stage, address.slice(0, 64))).toEqual([]);
    await none();
  });

  test('what is still owed waits, whole, and so do lines that are not merged', async () => {
    const seq = await stored(undefined);
    const before = await rowOf(seq);
    const importNo = before?.import_no;
    const merging = `INSERT INTO billing_import_chunks (import_no, first_line, rows, line_nos, names, government_ids, emails, cents, dues, debt_ids)
       VALUES ($1, 9, 1, '{9}', ARRAY[$2], ARRAY[$3], ARRAY[$4], '{1}', '{2026-12-31}', ARRAY[gen_random_uuid()])`;
    await whileLocked(
      stage,
      `SELECT FROM billing_imports WHERE import_no = ${importNo} FOR NO KEY UPDATE`,
      async (keeper) => {
        await stage.sql(merging, [importNo, ...WHO]);
        const told =
          'Forgotten in 0 debts, 0 rejects of imports, 1 payers, 0 names of files, 0 unmerged parts of files, ' +
          '1 debts are still owed: run it again when they are paid or cancelled, ' +
          '1 imports that hold it are not merged: run it again when they are';
        await stage.sql('UPDATE billing_payments SET paid_by = $1', [DOCUMENT]);
        expect(await forget('document', DOCUMENT)).toEqual({ line: told, complete: false });
        await keeper.query('DELETE FROM billing_import_chunks WHERE first_line = 9; COMMIT');
      },
    );
    expect(await rowOf(seq)).toEqual(before);
    await none();
  });

  test.each([
    ['--document'],
    ['--document', ''],
    ['--document', '123456789012345'],
    ['--document', 'ABC'],
    ['--email', 'nobody'],
    ['--email', 'a b@c.example'],
    ['--email', EMAIL, '--document', DOCUMENT],
  ])('%s %s is told how it is called, and says nothing of the value', async (...args) => {
    expect(retentionCommand.task(args)).toBeUndefined();
  });

  test.each([
    ['--document', ' 12.abc.345/01de-35 ', { forget: 'document', value: '12ABC34501DE35' }],
    ['--document', '0123', { forget: 'document', value: '0123' }],
    ['--email', ' Zulmira@Quaresma.example ', { forget: 'email', value: EMAIL }],
  ])('%s "%s" is read as an import reads it', (option, value, task) => {
    expect(retentionCommand.task([option, value])).toEqual({ dryRun: false, ...task });
  });
});

describe('with 25,000 debts, more than two pages of them', () => {
  /** Cancelled and old, but for the last 100, which are owed. */
  async function many(): Promise<void> {
    await none();
    await stage.sql(
      `INSERT INTO billing_debts (company_no, debt_id, import_no, line, name, government_id, email, cents, due_on, cancelled_at, updated_at)
       SELECT $1, gen_random_uuid(), 1, n, $2, $3, $4, 1, '2026-12-31', CASE WHEN n <= 24900 THEN now() END, now() - interval '31 days'
         FROM generate_series(1, 25000) AS n`,
      [biller.companyNo, ...WHO],
    );
  }

  const whole = async () =>
    (await stage.sql<{ n: number }>("SELECT count(*)::int AS n FROM billing_debts WHERE name <> ''"))[0]?.n;

  test('a run that is told to stop ends between two pages, and the next one goes on', async () => {
    await many();
    const stop = new AbortController();
    const stopping = new EraseDebtsRepository(postgres);
    const eraseOne = stopping.erase.bind(stopping);
    stopping.erase = async (...page) => {
      stop.abort();
      return eraseOne(...page);
    };
    const told = await retention(stopping).erase(30, { dryRun: false, stop: stop.signal });
    expect(told).toEqual({
      line: expect.stringMatching(
        /^who owed 10,000 closed debts older than 30 days erased, .*, told to stop: run it again$/,
      ),
      complete: false,
    });
    expect(await whole()).toBe(15_000);
    expect(await erase()).toEqual({ line: expect.stringMatching(/^who owed 14,900 closed debts/), complete: true });
    expect(await whole()).toBe(100);
    expect(await erase()).toEqual(NONE);
  });

  test('two runs at once erase each debt once, and neither fails', async () => {
    await many();
    const lines = (await Promise.all([erase(), erase()])).map(({ line }) => line);
    const erasedBy = lines.map((line) =>
      Number(/who owed ([\d,]+) closed debts/.exec(line)?.[1]?.replace(',', '') ?? 0),
    );
    expect([erasedBy.reduce((sum, each) => sum + each, 0), await whole()]).toEqual([24_900, 100]);
  });
});

test('one that is paid between the look and the lock is not erased', async () => {
  await none();
  const debt = zulmira();
  const seq = await stored('cancelled_at', biller, debt);
  await age(31, seq);
  const paying = 'SELECT billing_pay($1, $2, $3, $4, 100, now(), $5, $6)';
  const racing = {
    transaction: (work: (sql: Sql) => Promise<unknown>) =>
      postgres.transaction((sql) =>
        work({
          ...sql,
          query: async (text: string, values?: unknown[]) => {
            const rows = await sql.query(text, values);
            if (text.includes('AS is_over'))
              await stage.sql(paying, [biller.companyNo, 'race', debt.debtId, 'x', 'pix', NAME]);
            return rows;
          },
        } as Sql),
      ),
  } as unknown as Postgres;
  const found = await retention(new EraseDebtsRepository(racing)).erase(30, { dryRun: false, stop: NEVER });
  expect(found).toMatchObject({ complete: false });
  expect(await rowOf(seq)).toMatchObject({ name: NAME, paid_cents: '100' });
  await none();
});
