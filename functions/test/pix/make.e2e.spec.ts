import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiStage, type Ask } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { untilBlocked } from './locks.js';

interface Made {
  end_to_end_id: string;
  amount: string;
  payer_ispb: string;
  payer_document: string;
  receiver_document: string;
  tx_id: string;
}

const DRAINED = 0;
const HOLD = 4_715;
const TRANSACTION = 50_000;

let stage: ApiStage;
let proxy: TcpProxy;

beforeAll(async () => {
  stage = await ApiStage.open({ start: false });
  proxy = await TcpProxy.openTo(stage.env.DATABASE_URL, 5432);
  await stage.start({ env: { DATABASE_URL: proxy.url } });
});

afterAll(async () => {
  await stage?.close();
  await proxy?.close();
});

const make = (ispb: string, number: number | string, ask?: Ask): Promise<Answer> =>
  stage.api('POST', `/api/util/msgs/${ispb}/${number}`, ask);

const waiting = async (ispb: string): Promise<number> =>
  (await stage.sql('SELECT FROM pix_waiting WHERE ispb = $1', [ispb])).length;

/** Whether a CPF's check digits are right: https://pt.wikipedia.org/wiki/Cadastro_de_Pessoas_Físicas */
function isCpf(text: string): boolean {
  const digits = [...text].map(Number);
  const checkOf = (count: number): number => {
    const sum = digits.slice(0, count).reduce((total, digit, at) => total + digit * (count + 1 - at), 0);
    return sum % 11 < 2 ? 0 : 11 - (sum % 11);
  };
  return /^[0-9]{11}$/.test(text) && digits[9] === checkOf(9) && digits[10] === checkOf(10);
}

test('the CPF of the example is one, and with another digit it is none', () => {
  expect(['52998224725', '52998224735', '52998224724', '5299822472'].map(isCpf)).toEqual([true, false, false, false]);
});

test('messages are of people whose CPFs are valid, with ids of their own and an amount', async () => {
  const answer = await make('10000001', 2_000);
  expect([answer.status, answer.body]).toEqual([201, { ispb: '10000001', number: 2_000 }]);
  const rows = await stage.sql<Made>(
    'SELECT m.* FROM pix_messages m JOIN pix_waiting w ON w.message_id = m.id AND w.ispb = m.ispb WHERE m.ispb = $1',
    ['10000001'],
  );
  expect(rows.length).toBe(2_000);
  expect(new Set(rows.map((row) => row.end_to_end_id)).size).toBe(2_000);
  expect(new Set(rows.map((row) => row.tx_id)).size).toBe(2_000);
  const isWell = (row: Made): boolean =>
    isCpf(row.payer_document) &&
    isCpf(row.receiver_document) &&
    // the payer's ISPB, the minute in UTC, eleven symbols
    new RegExp(`^E${row.payer_ispb}20[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9][0-2][0-9][0-5][0-9][A-Za-z0-9]{11}$`).test(
      row.end_to_end_id,
    ) &&
    /^[a-z0-9]{1,35}$/.test(row.tx_id) &&
    Number(row.amount) > 0;
  expect(rows.filter((row) => !isWell(row))).toEqual([]);
});

test('each 50,000 are a transaction, and each transaction is one notification', async () => {
  const listener = new pg.Client(stage.env.DATABASE_URL);
  const notices: string[] = [];
  listener.on('notification', ({ payload }) => notices.push(payload ?? ''));
  await listener.connect();
  try {
    await listener.query('LISTEN pix_waiting');
    expect((await make('10000002', TRANSACTION + 1)).status).toBe(201);
    const sizes = await stage.sql<{ size: number }>(
      'SELECT count(*)::int AS size FROM pix_waiting WHERE ispb = $1 GROUP BY xmin::text ORDER BY 1',
      ['10000002'],
    );
    expect(sizes.map(({ size }) => size)).toEqual([1, TRANSACTION]);
    // What was notified before this statement's answer has arrived with it.
    await listener.query('SELECT 1');
    expect(notices).toEqual(['10000002', '10000002']);
  } finally {
    await listener.end();
  }
});

describe('a request that is not one', () => {
  afterEach(async () => expect(await stage.sql(`SELECT FROM pix_waiting WHERE ispb LIKE '2%'`)).toEqual([]));

  test.each(['0', '01', '-1', '+1', '1.5', '1e3', ' 1', '٣', 'x', '1000001', '9999999', '10000000'])(
    'a number has seven digits and is a million at most: %s',
    async (number) => {
      const { status, body } = await make('20000001', encodeURIComponent(number));
      const message = 'must be a whole number from 1 to 1000000';
      expect([status, body.code, body.errors]).toEqual([400, 'VALIDATION', [{ path: 'number', message }]]);
    },
  );

  test.each(['2000000', '200000011', '2000000a', '２0000001'])('an ISPB has eight digits: %s', async (ispb) => {
    const { status, body } = await make(encodeURIComponent(ispb), 1);
    const errors = [{ path: 'ispb', message: 'must be eight digits' }];
    expect([status, body.code, body.errors]).toEqual([400, 'VALIDATION', errors]);
  });

  test('a body with fields and an unknown query are refused, as on every route without them', async () => {
    const unknown = {
      status: 400,
      body: { code: 'VALIDATION', errors: [{ path: 'n', message: 'is not known here' }] },
    };
    expect(await make('20000001', 1, { body: { n: 1 } })).toMatchObject(unknown);
    expect(await make('20000001', '1?n=1')).toMatchObject(unknown);
    const text = { body: 'x', headers: { 'content-type': 'text/plain' } };
    expect((await make('20000001', 1, text)).status).toBe(415);
  });
});

test('an empty body is none', async () => {
  expect((await make('10000003', 1, { body: {} })).body).toEqual({ ispb: '10000003', number: 1 });
  expect((await make('10000003', 1, { body: '' })).body).toEqual({ ispb: '10000003', number: 1 });
  expect(await waiting('10000003')).toBe(2);
});

describe('held in its second transaction', () => {
  const ISPB = '90000001';
  let holder: pg.Client;

  beforeAll(async () => {
    // One message stands for the 50,000 of a transaction, which take their time.
    await stage.sql(`
      ALTER FUNCTION pix_generate(text, int) RENAME TO pix_generate_all;
      CREATE FUNCTION pix_generate(p_ispb text, p_number int) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM pix_waiting WHERE ispb = p_ispb) THEN PERFORM pg_advisory_xact_lock(${HOLD}); END IF;
        PERFORM pix_generate_all(p_ispb, 1);
      END $$;`);
    holder = new pg.Client({ connectionString: stage.env.DATABASE_URL });
    await holder.connect();
  });

  beforeEach(async () => {
    await stage.sql('TRUNCATE pix_waiting');
    await holder.query('SELECT pg_advisory_lock($1)', [HOLD]);
  });

  afterEach(() => holder.query('SELECT pg_advisory_unlock_all()'));

  afterAll(async () => {
    await holder.end();
    await stage.sql(`
      DROP FUNCTION pix_generate(text, int);
      ALTER FUNCTION pix_generate_all(text, int) RENAME TO pix_generate;`);
  });

  const letGo = () => holder.query('SELECT pg_advisory_unlock($1)', [HOLD]);
  const held = () =>
    stage.sql<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
  const untilHeld = () => untilBlocked(stage, 'pix_generate', 1);

  test('a client that leaves stops it after that one', async () => {
    const client = new AbortController();
    const url = `${stage.url}/api/util/msgs/${ISPB}/${4 * TRANSACTION}`;
    const asked = fetch(url, { method: 'POST', signal: client.signal }).catch((error: Error) => error.name);
    await untilHeld();
    client.abort();
    expect(await asked).toBe('AbortError');
    // A later request is answered: by now the server has seen that the client has left.
    await stage.api('GET', '/api/health');
    await holder.query(`SELECT pg_advisory_unlock(${HOLD}); SELECT pg_advisory_lock(${HOLD})`);
    // A third one would have begun before this, and would wait.
    await make('10000004', 1);
    expect([await waiting(ISPB), await held()]).toEqual([2, []]);
  });

  test('a server that is told to stop says so after that one, and ends', async () => {
    const other = await stage.beside();
    const asked = other.api('POST', `/api/util/msgs/${ISPB}/${4 * TRANSACTION}`);
    await untilHeld();
    other.signal('SIGTERM');
    await other.until(() => other.output.some((line) => line.includes('"msg":"stopping"')), 'it stops');
    await letGo();
    const { status, body, headers } = await asked;
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'SERVICE_UNAVAILABLE', '5']);
    expect([await other.exited(), await waiting(ISPB)]).toEqual([DRAINED, 2]);
    await other.close();
  });

  test('when PostgreSQL goes away it is 503, and what was committed stays', async () => {
    const asked = make(ISPB, 4 * TRANSACTION);
    await untilHeld();
    await proxy.close();
    const { status, body, headers } = await asked;
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'SERVICE_UNAVAILABLE', '5']);
    // Its connection has ended, but PostgreSQL would notice that only when the statement is over.
    for (const { pid } of await held()) await stage.sql('SELECT pg_terminate_backend($1)', [pid]);
    await stage.until(async () => (await held()).length === 0, 'nobody waits');
    expect(await waiting(ISPB)).toBe(1);
    await proxy.open();
    await letGo();
    expect((await make(ISPB, 1)).status).toBe(201);
    expect(await waiting(ISPB)).toBe(2);
  });
});

describe('where test messages are off', () => {
  let off: ApiStage;

  beforeAll(async () => {
    off = await stage.beside({ PIX_TEST_MESSAGES: 'off' });
  });

  afterAll(() => off?.close());

  const TEXT = { body: 'x', headers: { 'content-type': 'text/plain' } };
  test.each<[string, string, Ask]>([
    ['a good one', '30000001/1', {}],
    ['an ISPB that is none', 'x/1', {}],
    ['a number that is none', '30000001/0', {}],
    ['an unknown query', '30000001/1?n=1', {}],
    ['a query that is not UTF-8', '30000001/1?n=%ff', {}],
    ['an unknown field', '30000001/1', { body: { n: 1 } }],
    ['a body that is no JSON', '30000001/1', { body: '{' }],
    ['a body that is too long', '30000001/1', { body: JSON.stringify('x'.repeat(10_000)) }],
    ['a body of another type', '30000001/1', TEXT],
    ['a wrong key', '30000001/1', { token: 'pix_x' }],
  ])('%s is 404, as on a route that does not exist', async (_, path, ask) => {
    const answer = await off.api('POST', `/api/util/msgs/${path}`, ask);
    const nowhere = await off.api('POST', '/api/util/nothing');
    expect([answer.status, answer.body]).toEqual([404, nowhere.body]);
    expect(answer.body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});
