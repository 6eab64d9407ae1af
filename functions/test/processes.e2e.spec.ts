import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf, isAlive } from '../../services/process.js';
import { ApiStage } from '../../testing/api-stage.js';
import type { LogLine } from '../../testing/process.js';
import { RawClient } from '../../testing/raw-client.js';

const SEVERAL = { API_PROCESSES: '3' };

function logOf(stage: ApiStage): LogLine[] {
  return stage.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}

function said(stage: ApiStage, msg: string): LogLine[] {
  return logOf(stage).filter((line) => line.msg === msg);
}

/** The ids of the processes that share the port. */
function members(stage: ApiStage): number[] {
  return childrenOf(stage.pid ?? 0);
}

/** One sample of a scrape; undefined where there is none. */
async function sample(stage: ApiStage, name: string): Promise<number | undefined> {
  const { status, body } = await stage.api<string>('GET', '/metrics');
  expect(status).toBe(200);
  const line = body.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
}

/** Each on a connection of its own. */
async function askHealth(stage: ApiStage, times: number): Promise<void> {
  const ask = () => stage.api('GET', '/api/health', { headers: { connection: 'close' } });
  const answers = await Promise.all(Array.from({ length: times }, ask));
  expect(answers.map(({ status }) => status)).toEqual(Array(times).fill(200));
}

const UNKNOWNS = 'disparo_api_request_seconds_count{method="GET",route="unknown",status="4xx"}';
const HEALTHS = 'disparo_api_request_seconds_count{method="GET",route="/api/health",status="2xx"}';

describe('several processes on one port', () => {
  let stage: ApiStage;

  beforeAll(async () => {
    stage = await ApiStage.open({ env: SEVERAL });
  });

  afterAll(() => stage?.close());

  test('all of them answer, and whichever is scraped tells the sum', async () => {
    let asked = 0;
    await stage.until(async () => {
      await askHealth(stage, 10);
      asked += 10;
      return new Set(said(stage, 'answered').map((line) => line.process)).size === 3;
    }, 'each process has answered');
    for (let scrape = 0; scrape < 6; scrape++) expect(await sample(stage, HEALTHS)).toBe(asked);
    expect(await sample(stage, 'disparo_api_processes')).toBe(3);
    expect(await sample(stage, 'disparo_api_processes_wanted')).toBe(3);
  });

  test('what a store says is not added up', async () => {
    expect(await sample(stage, 'disparo_up{service="postgres"}')).toBe(1);
    expect(await sample(stage, 'disparo_queue_consumers{partition="0"}')).toBe(0);
  });

  test('a process that hangs delays a scrape, is left out, and its counters are not', async () => {
    await askHealth(stage, 10);
    const before = (await sample(stage, HEALTHS)) ?? 0;
    const [hung = 0] = members(stage);
    process.kill(hung, 'SIGSTOP');
    try {
      // One that is scraped itself would not answer: a connection that it holds is given up.
      const scraped = await stage.until(
        () =>
          fetch(`${stage.url}/metrics`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) }).then(
            (answer) => answer.text(),
            () => undefined,
          ),
        'a scrape is answered',
      );
      expect(scraped).toContain('\ndisparo_api_processes 2\n');
      expect(scraped).toContain(`\n${HEALTHS} ${before}\n`);
    } finally {
      process.kill(hung, 'SIGCONT');
    }
    expect(await sample(stage, 'disparo_api_processes')).toBe(3);
  });

  test('one that is killed is followed by another; the others go on, and no counter falls', async () => {
    // Each has counted, and nobody asks this again.
    const headers = { connection: 'close' };
    await stage.until(async () => {
      await Promise.all(Array.from({ length: 6 }, () => stage.api('GET', '/api/nothing', { headers })));
      const lines = said(stage, 'answered').filter(({ route }) => route === 'unknown');
      return new Set(lines.map((line) => line.process)).size === 3;
    }, 'each process has answered');
    const before = await sample(stage, UNKNOWNS);
    const [killed = 0, ...others] = members(stage);
    let answered = 0;
    let asking = true;
    const caller = async () => {
      // Requests that the killed process had are lost; nothing else is.
      while (asking) if ((await askOnce(stage)) === 200) answered += 1;
    };
    const callers = Array.from({ length: 4 }, caller);
    process.kill(killed, 'SIGKILL');
    await stage.until(() => said(stage, 'ready').filter(({ process }) => !process).length === 2, 'all are ready again');
    const then = answered;
    await stage.until(() => answered > then + 20, 'requests are answered');
    asking = false;
    await Promise.all(callers);
    expect(said(stage, 'a process has died; another one follows')).toEqual([
      expect.objectContaining({ level: 50, signal: 'SIGKILL', code: null, delay_ms: expect.any(Number) }),
    ]);
    expect(members(stage)).toEqual(expect.arrayContaining(others));
    expect(members(stage)).toHaveLength(3);
    expect(await sample(stage, UNKNOWNS)).toBe(before);
  });
});

async function askOnce(stage: ApiStage): Promise<number | undefined> {
  const headers = { connection: 'close' };
  const answer = await fetch(`${stage.url}/api/health`, { headers }).catch(() => undefined);
  await answer?.text().catch(() => undefined);
  return answer?.status;
}

describe('how they end', () => {
  let stage: ApiStage;

  beforeAll(async () => {
    stage = await ApiStage.open({ env: SEVERAL, start: false });
  });

  afterEach(() => stage.kill());
  afterAll(() => stage?.close());

  /** Sends the body of a login, and returns the status of its answer. */
  async function finish(client: RawClient): Promise<number | undefined> {
    client.socket.write('{}');
    await client.closed;
    return client.statuses.at(-1);
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s, to all of them at once, lets requests end: exit code 0',
    async (signal) => {
      await stage.start();
      const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.beginning(stage.url)));
      const all = members(stage);
      stage.signal(signal);
      for (const pid of all) process.kill(pid, signal);
      await stage.until(() => said(stage, 'stopping').filter((line) => line.process).length >= 3, 'all are stopping');
      expect(await Promise.all(clients.map(finish))).toEqual(Array(6).fill(400));
      expect(await stage.exited()).toBe(0);
      expect(all.filter(isAlive)).toEqual([]);
    },
  );

  test('a signal while they are still starting ends them: exit code 0', async () => {
    const before = said(stage, 'ready').length;
    stage.spawn();
    await stage.until(() => members(stage).length === 3, 'the processes have begun');
    expect(await stage.stop('SIGTERM')).toBe(0);
    expect(said(stage, 'ready')).toHaveLength(before);
  });

  test('a second signal ends all at once: exit code 75', async () => {
    await stage.start();
    await RawClient.beginning(stage.url);
    const all = members(stage);
    const from = said(stage, 'stopping').length;
    stage.signal('SIGTERM');
    await stage.until(() => said(stage, 'stopping').length > from, 'they are stopping');
    expect(await stage.stop('SIGINT')).toBe(75);
    await stage.until(() => all.filter(isAlive).length === 0, 'none is left');
  });

  test('when the primary is killed, the others finish what is in flight, and none stays', async () => {
    await stage.start();
    const client = await RawClient.beginning(stage.url);
    const all = members(stage);
    const from = said(stage, 'stopping').length;
    process.kill(stage.pid ?? 0, 'SIGKILL');
    await stage.until(() => said(stage, 'stopping').length > from, 'they are stopping');
    expect(await finish(client)).toBe(400);
    await stage.until(() => all.filter(isAlive).length === 0, 'none is left');
  });

  /** The exit code of a server, and the lines that are no log. */
  async function startedWith(env: Record<string, string>): Promise<[number | null, string[]]> {
    const server = stage.script('server', [], env);
    return [await server.exit(), server.output.filter((line) => !line.startsWith('{'))];
  }

  test('a value that is wrong ends the primary, with one line and 78', async () => {
    const line = 'API_PROCESSES: must be a whole number from 1 to 64, not "65"';
    expect(await startedWith({ API_PROCESSES: '65' })).toEqual([78, [line]]);
  });

  test('a store that refuses one process ends all, with one line and 78', async () => {
    const url = Object.assign(new URL(stage.env.RABBITMQ_URL), { password: 'wrong' });
    const line = expect.stringContaining('RABBITMQ_URL: the user or the password is wrong');
    expect(await startedWith({ RABBITMQ_URL: url.href })).toEqual([78, [line]]);
  });

  test('a port that is taken ends all, with one line and 78', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    expect(await startedWith({ API_PORT: String(port) })).toEqual([78, [`API_PORT: ${port} is in use`]]);
    taken.close();
  });
});
