import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../../testing/api-stage.js';
import { TcpProxy } from '../../../testing/proxy.js';
import { ParticipantKeys } from '../../pix/participants/participant-keys.js';
import { ParticipantsRepository } from '../../pix/participants/participants.repository.js';
import type { Config } from '../../platform/config.js';
import { Deadline } from '../../platform/deadline.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { lockKeys, unlockAll, untilBlocked } from './locks.js';
import { ADMITTED, asked, bearer, brief, keyOf, unbind } from './participant.js';
import { someIspb } from './streams.js';

const MISSING = [401, 'PIX.KEY_MISSING'];
const INVALID = [401, 'PIX.KEY_INVALID'];
/** Of the form of a key, and of nobody. */
const INVENTED = `pix_${'a'.repeat(43)}`;

let stage: ApiStage;
let closed: ApiStage;
let ana: TestUser;
let acme: TestCompany;

beforeAll(async () => {
  stage = await ApiStage.open();
  closed = await stage.beside({ PIX_OPEN: 'off' });
  ana = await stage.user();
  acme = await stage.company(ana);
});

afterAll(async () => {
  await unlockAll();
  await closed?.close();
  await stage?.close();
});

/** The four routes of collectors. Admitted, each answers at once, when a message waits. */
const routes = (ispb: string): [method: string, path: string][] => [
  ['POST', `/api/util/msgs/${ispb}/1`],
  ['GET', `/api/pix/${ispb}/stream/start`],
  ['GET', `/api/pix/${ispb}/stream/zzzzzzzzzzzz`],
  ['DELETE', `/api/pix/${ispb}/stream/zzzzzzzzzzzz`],
];

/** What the four routes answer to these headers. */
async function allRoutes(on: ApiStage, ispb: string, headers: Record<string, string> = {}) {
  const answers: [number, unknown][] = [];
  for (const [method, path] of routes(ispb)) answers.push(brief(await on.api(method, path, { headers })));
  return answers;
}

const four = (answer: unknown[]) => Array(4).fill(answer);
const OPEN = [[201, undefined], [200, undefined], ADMITTED, ADMITTED];

describe('an ISPB that was never bound', () => {
  test('is open, whatever is sent as a key', async () => {
    const another = await keyOf(stage, ana, acme, someIspb());
    for (const headers of [{}, bearer(INVENTED), bearer(another), bearer(ana.token), { authorization: 'Basic YTpi' }])
      expect(await allRoutes(stage, someIspb(), headers)).toEqual(OPEN);
  });

  test('is closed to all where PIX_OPEN is off, to the key of another too', async () => {
    const another = await keyOf(stage, ana, acme, someIspb());
    expect(await allRoutes(closed, someIspb())).toEqual(four(MISSING));
    for (const key of [INVENTED, another, ana.token])
      expect(await allRoutes(closed, someIspb(), bearer(key))).toEqual(four(INVALID));
  });
});

describe('an ISPB that is bound', () => {
  test('asks for its key on the four routes, and with any PIX_OPEN', async () => {
    const ispb = someIspb();
    const key = await keyOf(stage, ana, acme, ispb);
    const another = await keyOf(stage, ana, acme, someIspb());
    for (const each of [stage, closed]) {
      expect(await allRoutes(each, ispb)).toEqual(four(MISSING));
      expect(await allRoutes(each, ispb, { authorization: 'Basic YTpi' })).toEqual(four(MISSING));
      expect(await allRoutes(each, ispb, bearer(INVENTED))).toEqual(four(INVALID));
      expect(await allRoutes(each, ispb, bearer(another))).toEqual(four([404, 'NOT_FOUND']));
      expect(await allRoutes(each, ispb, bearer(key))).toEqual(OPEN);
    }
  });

  test('says by WWW-Authenticate what is wrong', async () => {
    const ispb = someIspb();
    await keyOf(stage, ana, acme, ispb);
    const path = `/api/pix/${ispb}/stream/start`;
    const header = async (headers: Record<string, string>) =>
      (await stage.api('GET', path, { headers })).headers.get('www-authenticate');
    expect(await header({})).toBe('Bearer');
    expect(await header(bearer(INVENTED))).toBe('Bearer error="invalid_token"');
  });

  test('takes its whole key, as it was written, and no token of a user', async () => {
    const ispb = someIspb();
    const key = await keyOf(stage, ana, acme, ispb);
    const wrong = [key.slice(0, -1), `${key}a`, key.toUpperCase(), key.slice(4), 'pix_', ana.token];
    for (const each of wrong) expect(await asked(stage, ispb, bearer(each))).toEqual(INVALID);
    expect(await asked(stage, ispb, { authorization: ` bearer  ${key} ` })).toEqual(ADMITTED);
  });

  test('its key is no token of the other routes', async () => {
    const key = await keyOf(stage, ana, acme, someIspb());
    const answer = await stage.api('GET', '/api/companies', { token: key });
    expect(brief(answer)).toEqual([401, 'AUTH.TOKEN_INVALID']);
  });

  test('asks for the ISPB first, then for the key, then for Accept; what was refused claims nothing', async () => {
    const ispb = someIspb();
    await stage.api('POST', `/api/util/msgs/${ispb}/1`);
    const key = await keyOf(stage, ana, acme, ispb);
    const start = async (of: string, headers: Record<string, string>) =>
      brief(await stage.api('GET', `/api/pix/${of}/stream/start`, { headers: { accept: 'text/html', ...headers } }));
    expect(await start('1234', {})).toEqual([400, 'VALIDATION']);
    expect(await start(ispb, {})).toEqual(MISSING);
    expect(await start(ispb, bearer(INVENTED))).toEqual(INVALID);
    expect(await start(ispb, bearer(key))).toEqual([406, 'PIX.NOT_ACCEPTABLE']);
    expect(await stage.sql('SELECT FROM pix_streams WHERE ispb = $1', [ispb])).toEqual([]);
    expect(await stage.sql('SELECT FROM pix_waiting WHERE ispb = $1', [ispb])).toHaveLength(1);
  });

  test('after a rotation takes both keys for 24 hours, and of three the last two', async () => {
    const ispb = someIspb();
    const first = await keyOf(stage, ana, acme, ispb);
    const second = await keyOf(stage, ana, acme, ispb);
    for (const key of [first, second]) expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
    const third = await keyOf(stage, ana, acme, ispb);
    for (const key of [second, third]) expect(await asked(stage, ispb, bearer(key))).toEqual(ADMITTED);
    expect(await asked(stage, ispb, bearer(first))).toEqual(INVALID);
    await stage.sql('UPDATE pix_participants SET old_key_until = clock_timestamp() WHERE ispb = $1', [ispb]);
    // Another process, which has not read it before.
    expect(await asked(closed, ispb, bearer(second))).toEqual(INVALID);
    expect(await asked(closed, ispb, bearer(third))).toEqual(ADMITTED);
  });

  test('takes a new key at once at a process that knows the one before', async () => {
    const ispb = someIspb();
    const first = await keyOf(stage, ana, acme, ispb);
    expect(await asked(closed, ispb, bearer(first))).toEqual(ADMITTED);
    const second = await keyOf(stage, ana, acme, ispb);
    for (const key of [first, second]) expect(await asked(closed, ispb, bearer(key))).toEqual(ADMITTED);
  });

  test('is taken at once at a process that knows it as unbound, with the key', async () => {
    const ispb = someIspb();
    expect(await asked(closed, ispb, bearer(INVENTED))).toEqual(INVALID);
    expect(await asked(closed, ispb, bearer(await keyOf(stage, ana, acme, ispb)))).toEqual(ADMITTED);
  });

  test('no key is in the log', async () => {
    const ispb = someIspb();
    const key = await keyOf(stage, ana, acme, ispb);
    const logged = () => stage.output.filter((line) => /"route":"\/api\/(pix|util)\//.test(line)).length;
    const before = logged();
    await allRoutes(stage, ispb, bearer(key));
    await allRoutes(stage, ispb, bearer(INVENTED));
    await stage.until(() => logged() >= before + 8, 'all requests are logged');
    expect(stage.output.filter((line) => line.includes(key) || line.includes(INVENTED))).toEqual([]);
  });
});

describe('the keys of a process', () => {
  let proxy: TcpProxy;
  let postgres: Postgres;
  let keys: ParticipantKeys;
  /** The ISPBs that were looked up. */
  let reads: string[];

  beforeEach(async () => {
    proxy = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
    postgres = new Postgres({ databaseUrl: proxy.url } as Config);
    const repository = new ParticipantsRepository(postgres);
    const bindingOf = repository.bindingOf.bind(repository);
    reads = [];
    repository.bindingOf = (ispb) => {
      reads.push(ispb);
      return bindingOf(ispb);
    };
    keys = new ParticipantKeys({ pixOpen: true } as Config, postgres, repository);
  });

  afterEach(async () => {
    await proxy?.close();
    await postgres?.close();
  });

  const AWAY = { status: 503, code: 'SERVICE_UNAVAILABLE' };

  test('are read once for many collectors, and keys that somebody invents change nothing', async () => {
    const [ispb, open] = [someIspb(), someIspb()];
    const key = await keyOf(stage, ana, acme, ispb);
    const right = () => keys.admit(ispb, `Bearer ${key}`);
    const wrong = (n: number) => keys.admit(ispb, `Bearer pix_${String(n).padStart(43, '0')}`);
    await Promise.all(Array.from({ length: 200 }, right));
    const refused = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => wrong(n)));
    expect(refused.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    await Promise.all(Array.from({ length: 200 }, () => keys.admit(open, undefined)));
    await right();
    expect(reads).toEqual([ispb, open]);

    // What another process changes is known here within ten seconds, and a change of this process at once.
    await unbind(stage, ana, acme, ispb);
    await right();
    keys.changed(ispb);
    await expect(right()).rejects.toMatchObject({ status: 401, code: 'PIX.KEY_INVALID' });
  });

  test('are 503 while PostgreSQL is away and they are not known, and read again when it is back', async () => {
    const [known, unknown] = [someIspb(), someIspb()];
    const key = await keyOf(stage, ana, acme, known);
    await keys.admit(known, `Bearer ${key}`);
    await proxy.close();
    await expect(keys.admit(unknown, undefined)).rejects.toMatchObject(AWAY);
    await expect(keys.admit(known, `Bearer ${INVENTED}`)).rejects.toMatchObject(AWAY);
    await keys.admit(known, `Bearer ${key}`);
    await proxy.open();
    await keys.admit(unknown, undefined);
    expect(reads).toEqual([known, unknown, unknown]);
  });

  test('are looked up for all who wait, when the time of the request that asked first is over, too', async () => {
    const ispb = someIspb();
    const key = await keyOf(stage, ana, acme, ispb);
    const release = await lockKeys(stage);
    const deadline = new Deadline({ refuseMs: 60_000, endMs: 60_000 });
    const first = deadline.run(() => keys.admit(ispb, `Bearer ${key}`));
    const second = keys.admit(ispb, `Bearer ${key}`);
    await untilBlocked(stage, 'FROM pix_participants', 1);
    deadline.pass();
    await release();
    deadline.close();
    expect(await Promise.allSettled([first, second])).toEqual(Array(2).fill({ status: 'fulfilled', value: undefined }));
    expect(reads).toEqual([ispb]);
  });

  test('are 503 before a collector has waited for eight seconds, where PostgreSQL is silent', async () => {
    const [known, unknown] = [someIspb(), someIspb()];
    await keyOf(stage, ana, acme, known);
    await expect(keys.admit(known, undefined)).rejects.toMatchObject({ status: 401 });
    proxy.hold();
    const began = performance.now();
    const asks = [
      keys.admit(unknown, undefined),
      keys.admit(unknown, undefined),
      keys.admit(known, `Bearer ${INVENTED}`),
    ];
    const answers = await Promise.allSettled(asks);
    expect(answers).toMatchObject(Array(3).fill({ status: 'rejected', reason: AWAY }));
    expect(performance.now() - began).toBeLessThan(7_800);
  });
});
