import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { joinWith, TcpProxy } from '../../../testing/proxy.js';
import { randomFrom } from '../../../testing/random.js';
import { until } from '../../../testing/until.js';
import {
  added,
  type ContactBody,
  endOf,
  orphans,
  post,
  rowsOf,
  someContact,
  storedContacts,
  WORDS,
} from './fixtures.js';

const TIMEOUT_MS = 180_000;
const SENDERS = 60;
const SEED = Date.now() % 1_000_000_000;

/** A request that was answered with 202. */
interface Accepted {
  job: string;
  body: ContactBody;
}

let stage: ApiStage;
let postgres: TcpProxy;

beforeEach(async () => {
  stage = await ApiStage.open({ start: false });
  postgres = await TcpProxy.openTo(stage.env.DATABASE_URL, 5_432);
});

afterEach(async () => {
  await stage?.close();
  await postgres?.close();
}, TIMEOUT_MS);

/** Users of few ids: of each, `contents` different ones. */
function bodiesOf(users: number, contents: number): ContactBody[] {
  return Array.from({ length: users }, () => someContact()).flatMap((user) =>
    Array.from({ length: contents }, (_, age) => ({ ...user, age })),
  );
}

/**
 * Sends each body until it is accepted, many at a time, to one of the stages. Who gets no answer sends it again: both may be
 * accepted. Returns every request with a 202.
 */
async function sendAll(stages: ApiStage[], bodies: readonly ContactBody[], random: () => number): Promise<Accepted[]> {
  const accepted: Accepted[] = [];
  const refused: unknown[] = [];
  const left = [...bodies];
  const sender = async () => {
    for (let body = left.pop(); body; body = left.pop()) {
      const to = stages[Math.floor(random() * stages.length)] as ApiStage;
      const answer = await post(to, body).catch(() => undefined);
      if (answer?.status === 202) accepted.push({ job: String(answer.body.job), body });
      else left.unshift(body);
      // One that is killed refuses at once; then nothing but this line takes time.
      if (!answer) await delay(5);
      if (answer && answer.status !== 202) refused.push([answer.status, answer.body.code, answer.body.message]);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  for (const each of refused) expect(each).toEqual([503, 'SERVICE_UNAVAILABLE', WORDS.notTaken]);
  return accepted;
}

/** Every 202 has an end; the four tables hold one content an id, whole; every end agrees with it. */
async function expectAllRight(accepted: Accepted[], bodies: readonly ContactBody[]): Promise<void> {
  expect(new Set(accepted.map(({ job }) => job)).size).toBe(accepted.length);
  const ends = await Promise.all(accepted.map(async (each) => ({ ...each, end: await endOf(stage, each.job) })));
  const rows = await storedContacts(stage);
  expect([...rows.keys()].toSorted()).toEqual([...new Set(bodies.map(({ id }) => id))].toSorted());
  for (const { body, end, job } of ends) {
    const isStored = rows.get(body.id)?.age === body.age;
    expect(`${job} ${end}`).toBe(`${job} ${isStored ? 'completed' : 'failed conflict'}`);
    if (isStored) expect(rows.get(body.id)).toEqual(rowsOf(body));
  }
  expect(await orphans(stage)).toBe(0);
  // Jobs whose 202 was lost on its way, too.
  await until(async () => expect(await stage.sql('SELECT FROM contact_batches WHERE done_at IS NULL')).toEqual([]));
}

/**
 * A port in front of PostgreSQL. With `lose` it keeps the answer to the next insert of a batch, which is committed by then,
 * and breaks the connection.
 */
async function losingProxy(service: URL) {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = joinWith(service, 5_432, near, open, (bytes) => {
      if (losing.lose && bytes.includes('INSERT INTO contact_batches')) {
        losing.lose = false;
        far.unpipe(near);
        far.once('data', () => {
          losing.lost += 1;
          far.destroy();
        });
        far.resume();
      }
      return true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(service);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const losing = { url: url.href, lose: false, lost: 0, close: () => server.close() };
  return losing;
}

test(
  'no kill of a server or its worker loses a 202, or stores one twice or half',
  async () => {
    console.log(`seed ${SEED}`);
    const random = randomFrom(SEED);
    await stage.start();
    const stages = [stage, await stage.beside()];
    const bodies = bodiesOf(300, 2);
    let sending = true;
    const accepting = sendAll(stages, bodies, random).finally(() => {
      sending = false;
    });
    for (let kills = 0; kills < 4 || sending; kills++) {
      await delay(random() * 400);
      const at = Math.floor(random() * 2);
      await stages[at]?.kill();
      await stages[at]?.start();
      if (kills > 40) throw new Error('it does not get on');
    }
    const accepted = await accepting;
    await expectAllRight(accepted, bodies);
  },
  TIMEOUT_MS,
);

test(
  'no ended connection of PostgreSQL loses a job or ends one twice',
  async () => {
    console.log(`seed ${SEED}`);
    const random = randomFrom(SEED + 1);
    await stage.start();
    const bodies = bodiesOf(300, 2);
    let sending = true;
    const accepting = sendAll([stage], bodies, random).finally(() => {
      sending = false;
    });
    let ended = 0;
    const others = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                       AND query ~ 'contact' AND query !~ 'pg_stat_activity'`;
    while (sending || ended < 10) {
      await delay(random() * 150);
      const pids = (await stage.sql<{ pid: number }>(others)).map(({ pid }) => pid);
      const pid = pids[Math.floor(random() * pids.length)];
      if (pid === undefined) continue;
      await stage.sql('SELECT pg_terminate_backend($1)', [pid]).catch(() => undefined);
      ended += 1;
      if (!sending && ended > 200) break;
    }
    await expectAllRight(await accepting, bodies);
    expect(ended).toBeGreaterThanOrEqual(10);
  },
  TIMEOUT_MS,
);

test(
  'PostgreSQL away under load: 202 is committed, 503 has the words, all drains when it is back',
  async () => {
    console.log(`seed ${SEED}`);
    const random = randomFrom(SEED + 2);
    await stage.start({ env: { DATABASE_URL: postgres.url } });
    const bodies = bodiesOf(300, 2);
    let sending = true;
    const accepting = sendAll([stage], bodies, random).finally(() => {
      sending = false;
    });
    for (let cuts = 0; sending || cuts < 4; cuts++) {
      await delay(random() * 300);
      postgres.cut();
      if (cuts % 2) {
        await postgres.close();
        await delay(random() * 300);
        await postgres.open();
      }
      if (cuts > 200) throw new Error('it does not get on');
    }
    await expectAllRight(await accepting, bodies);
  },
  TIMEOUT_MS,
);

test(
  'PostgreSQL away for longer: POST and GET are 503 with their words, and nothing is left behind',
  async () => {
    await stage.start({ env: { DATABASE_URL: postgres.url } });
    const known = await added(stage, someContact());
    await endOf(stage, known);
    await postgres.close();
    const problem = {
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: expect.any(String),
      code: 'SERVICE_UNAVAILABLE',
    };
    const get = await stage.api('GET', `/api/user/${known}`);
    expect([get.status, get.body]).toEqual([503, { ...problem, message: WORDS.notRead }]);
    const stats = await stage.api('GET', '/api/user/jobs/stats');
    expect([stats.status, stats.body]).toEqual([503, { ...problem, message: WORDS.notRead }]);
    const user = someContact();
    const refused = await post(stage, user);
    expect([refused.status, refused.body]).toEqual([503, { ...problem, message: WORDS.notTaken }]);
    expect([refused.headers.get('retry-after'), get.headers.get('retry-after')]).toEqual(['5', '5']);
    await postgres.open();
    expect((await storedContacts(stage)).has(user.id)).toBe(false);
    const job = await until(() => added(stage, user));
    expect(await endOf(stage, job)).toBe('completed');
    expect((await storedContacts(stage)).get(user.id)).toEqual(rowsOf(user));
  },
  TIMEOUT_MS,
);

test(
  'a COMMIT whose answer is lost is sent again, and makes one job',
  async () => {
    const losing = await losingProxy(new URL(stage.env.DATABASE_URL));
    await stage.start({ env: { DATABASE_URL: losing.url } });
    const users = Array.from({ length: 20 }, () => someContact());
    for (const user of users) {
      losing.lose = true;
      const job = await added(stage, user);
      expect(await endOf(stage, job)).toBe('completed');
      expect(await stage.sql('SELECT job FROM contacts WHERE id = $1', [user.id])).toEqual([{ job }]);
    }
    expect(losing.lost).toBe(users.length);
    const [row] = await stage.sql('SELECT sum(size)::int AS jobs, count(*)::int AS batches FROM contact_batches');
    expect(row).toEqual({ jobs: users.length, batches: users.length });
    await stage.kill();
    losing.close();
  },
  TIMEOUT_MS,
);
