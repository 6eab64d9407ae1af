import { connect } from 'amqplib';
import { afterEach, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import { REASONS } from '../events/intake/triage.js';
import { accepted, PATIENCE_MS, someNumbers, upload } from './campaigns/fixtures.js';

const NOWHERE = {
  DATABASE_URL: 'postgresql://a:b@127.0.0.1:9/x',
  MONGODB_URL: 'mongodb://127.0.0.1:9',
  RABBITMQ_URL: 'amqp://127.0.0.1:9',
};

let stage: ApiStage;

afterEach(() => stage?.close());

/** The samples of a scrape whose name begins with this, as they are written. */
async function samples(name: string): Promise<Record<string, number>> {
  const { status, body } = await stage.api<string>('GET', '/metrics');
  expect(status).toBe(200);
  const lines = body.split('\n').filter((line) => line.startsWith(name));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

async function people(): Promise<[TestUser, TestCompany]> {
  const ana = await stage.user();
  return [ana, await stage.company(ana)];
}

const NO_CAMPAIGNS = Object.fromEntries(
  ['pendente', 'enfileirado', 'enviando', 'enviado', 'pausado', 'cancelado'].map((status) => [
    `disparo_ledger_campaigns{status="${status}"}`,
    0,
  ]),
);

test('what is owed is told until a consumer has stored it', async () => {
  stage = await ApiStage.open({ env: { QUEUE_PARTITIONS: '2' } });
  const [ana, company] = await people();
  const { id } = await accepted(stage, ana, company, someNumbers(5));
  await stage.sql("UPDATE campaigns SET created_at = clock_timestamp() - interval '1 hour'");
  const [row] = await stage.sql<{ partition: number }>('SELECT partition FROM campaigns WHERE id = $1', [id]);

  expect(await samples('disparo_ledger_campaigns')).toEqual({
    ...NO_CAMPAIGNS,
    'disparo_ledger_campaigns{status="enfileirado"}': 1,
  });
  expect(await samples('disparo_ledger_owed_numbers')).toEqual({
    'disparo_ledger_owed_numbers{state="unpublished"}': 0,
    'disparo_ledger_owed_numbers{state="unstored"}': 5,
  });
  const ages = await samples('disparo_ledger_oldest_owed_seconds');
  expect(ages['disparo_ledger_oldest_owed_seconds{state="unpublished"}']).toBe(0);
  expect(ages['disparo_ledger_oldest_owed_seconds{state="unstored"}']).toBeGreaterThan(0);
  expect(await samples('disparo_queue_ready_messages')).toEqual({
    'disparo_queue_ready_messages{partition="0"}': row?.partition === 0 ? 5 : 0,
    'disparo_queue_ready_messages{partition="1"}': row?.partition === 1 ? 5 : 0,
  });
  expect(await samples('disparo_queue_consumers')).toEqual({
    'disparo_queue_consumers{partition="0"}': 0,
    'disparo_queue_consumers{partition="1"}': 0,
  });
  expect(await samples('disparo_ledger_publish_confirms_total')).toMatchObject({
    'disparo_ledger_publish_confirms_total{outcome="confirmed"}': 5,
    'disparo_ledger_publish_confirms_total{outcome="nacked"}': 0,
    'disparo_ledger_publish_confirms_total{outcome="returned"}': 0,
  });

  const consumer = stage.consumer({ CONSUMER_PARTITIONS: String(row?.partition) });
  try {
    await stage.until(
      async () => (await samples('disparo_ledger_campaigns'))['disparo_ledger_campaigns{status="enviado"}'] === 1,
      'the campaign is enviado',
      PATIENCE_MS,
    );
    expect(await samples('disparo_ledger_o')).toEqual({
      'disparo_ledger_owed_numbers{state="unpublished"}': 0,
      'disparo_ledger_owed_numbers{state="unstored"}': 0,
      'disparo_ledger_oldest_owed_seconds{state="unpublished"}': 0,
      'disparo_ledger_oldest_owed_seconds{state="unstored"}': 0,
    });
    expect(await samples('disparo_queue_consumers')).toEqual({
      'disparo_queue_consumers{partition="0"}': row?.partition === 0 ? 1 : 0,
      'disparo_queue_consumers{partition="1"}': row?.partition === 1 ? 1 : 0,
    });
  } finally {
    await consumer.kill();
  }
});

test('a stopped campaign is not behind: it owes nothing until it is resumed', async () => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  const paused = await accepted(stage, ana, company, someNumbers(3));
  const cancelled = await accepted(stage, ana, company, someNumbers(4));
  await stage.api('POST', `/api/campaigns/${paused.id}/pause`, { token: ana.token });
  await stage.api('POST', `/api/campaigns/${cancelled.id}/cancel`, { token: ana.token });
  expect(await samples('disparo_ledger_campaigns')).toEqual({
    ...NO_CAMPAIGNS,
    'disparo_ledger_campaigns{status="pausado"}': 1,
    'disparo_ledger_campaigns{status="cancelado"}': 1,
  });
  expect(await samples('disparo_ledger_owed_numbers{state="unstored"}')).toEqual({
    'disparo_ledger_owed_numbers{state="unstored"}': 0,
  });
});

test('what the broker refuses is counted by its reason', async () => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  const connection = await connect(stage.env.RABBITMQ_URL);
  const channel = await connection.createChannel();
  try {
    const queue = `${stage.env.QUEUE_PREFIX}.campaigns.0`;
    await channel.unbindQueue(queue, `${stage.env.QUEUE_PREFIX}.campaigns`, '0');
    expect((await upload(stage, ana, company, someNumbers(2))).body.status).toBe('pendente');
    // The next try is on a new link, which binds the queue again, so this stays the number of those returned.
    expect(await samples('disparo_ledger_publish_confirms_total{outcome="returned"}')).toEqual({
      'disparo_ledger_publish_confirms_total{outcome="returned"}': 2,
    });
  } finally {
    await connection.close();
  }
});

test('a campaign that waits for the broker is counted by its age', async () => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  await stage.kill();
  await stage.start({ env: { RABBITMQ_URL: NOWHERE.RABBITMQ_URL }, ready: false });
  expect((await upload(stage, ana, company, someNumbers(2))).body.status).toBe('pendente');
  expect(await samples('disparo_ledger_publish_confirms_total{outcome="unreachable"}')).toEqual({
    'disparo_ledger_publish_confirms_total{outcome="unreachable"}': 2,
  });
  await stage.sql("UPDATE campaigns SET created_at = clock_timestamp() - interval '1 hour'");
  const ages = await samples('disparo_ledger_oldest_owed_seconds{state="unpublished"}');
  expect(ages['disparo_ledger_oldest_owed_seconds{state="unpublished"}']).toBeGreaterThan(3_599);
});

test('dead letters are counted where they lie', async () => {
  stage = await ApiStage.open();
  const connection = await connect(stage.env.RABBITMQ_URL);
  try {
    const channel = await connection.createConfirmChannel();
    channel.publish(`${stage.env.QUEUE_PREFIX}.dead`, '', Buffer.from('x'));
    await channel.waitForConfirms();
  } finally {
    await connection.close();
  }
  const name = `disparo_queue_dead_letters{queue="${stage.env.QUEUE_PREFIX}.dead"}`;
  expect(await samples('disparo_queue_dead_letters')).toEqual({ [name]: 1 });
});

test('latency goes by method, path template and class of status, never by an id', async () => {
  stage = await ApiStage.open();
  await stage.api('GET', '/api/campaigns/aaaaaaaaaaaaaaaaaaaaaaaa');
  await stage.api('GET', '/api/nothing/11987654321');
  expect(await samples('disparo_api_request_seconds_count')).toEqual({
    'disparo_api_request_seconds_count{method="GET",route="/api/campaigns/:id",status="4xx"}': 1,
    'disparo_api_request_seconds_count{method="GET",route="unknown",status="4xx"}': 1,
  });
});

test('a queue that is gone takes its numbers away and leaves the connection to the publisher', async () => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  const connection = await connect(stage.env.RABBITMQ_URL);
  try {
    await (await connection.createChannel()).deleteQueue(`${stage.env.QUEUE_PREFIX}.dead`);
  } finally {
    await connection.close();
  }
  expect(await samples('disparo_queue')).toEqual({});
  expect((await samples('disparo_up'))['disparo_up{service="rabbitmq"}']).toBe(1);
  expect((await accepted(stage, ana, company, someNumbers(2))).status).toBe('enfileirado');
});

test('services that are down fail no scrape: they are 0, and what they would be asked is absent', async () => {
  stage = await ApiStage.open({ start: false });
  await stage.start({ env: NOWHERE, ready: false });
  const all = Object.entries(await samples('disparo_'));
  // What this process has counted and timed itself is 0, a bucket as any other.
  const own = all.filter(([name]) => /_(bucket|sum|count)(\{|$)/.test(name));
  expect(new Set(own.map(([, value]) => value))).toEqual(new Set([0]));
  expect(Object.fromEntries(all.filter((each) => !own.includes(each)))).toEqual({
    disparo_api_connections: 1,
    disparo_api_connections_refused_total: 0,
    disparo_api_processes: 1,
    disparo_api_processes_wanted: 1,
    'disparo_up{service="postgres"}': 0,
    'disparo_up{service="mongodb"}': 0,
    'disparo_up{service="rabbitmq"}': 0,
    ...Object.fromEntries(
      ['confirmed', 'nacked', 'returned', 'timeout', 'unreachable', 'refused'].map((outcome) => [
        `disparo_ledger_publish_confirms_total{outcome="${outcome}"}`,
        0,
      ]),
    ),
    ...Object.fromEntries(
      ['stored', 'duplicate'].map((outcome) => [`disparo_events_total{outcome="${outcome}",reason=""}`, 0]),
    ),
    ...Object.fromEntries(REASONS.map((reason) => [`disparo_events_total{outcome="refused",reason="${reason}"}`, 0])),
    ...Object.fromEntries(
      ['delivered', 'failed', 'dead', 'void'].map((outcome) => [
        `disparo_webhooks_attempts_total{outcome="${outcome}"}`,
        0,
      ]),
    ),
    disparo_ledger_healed_numbers_total: 0,
    ...{ disparo_pix_polls: 0, disparo_pix_batches_total: 0, disparo_pix_replays_total: 0 },
    ...Object.fromEntries(
      [
        ...['rejected', 'created', 'repeated', 'conflicting'].map((outcome) => `lines_total{outcome="${outcome}"}`),
        ...['registered', 'already', 'refused', 'unavailable'].map((result) => `issued_total{result="${result}"}`),
        ...['recorded', 'repeated', 'unmatched', 'reused'].map((result) => `payments_total{result="${result}"}`),
        ...['sent', 'refused', 'later', 'unsent', 'unknown'].map((outcome) => `mails_total{outcome="${outcome}"}`),
      ].map((name) => [`disparo_billing_${name}`, 0]),
    ),
    ...Object.fromEntries(
      ['completed', 'conflict', 'refused_by_store'].map((end) => [`disparo_contacts_ended_total{end="${end}"}`, 0]),
    ),
  });
});
