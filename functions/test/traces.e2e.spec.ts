import { afterEach, expect, test } from 'vitest';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import { accepted, type CampaignBody, PATIENCE_MS, someNumbers, untilStatus } from './campaigns/fixtures.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;

let stage: ApiStage;

afterEach(() => stage?.close());

async function people(): Promise<[TestUser, TestCompany]> {
  const ana = await stage.user();
  return [ana, await stage.company(ana)];
}

interface Line extends Record<string, unknown> {
  msg: string;
}

function lines(output: string[]): Line[] {
  return output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line);
}

/** What the API says of requests to a route and of publishing: sentence and trace, in the order of the log. */
function told(): unknown[][] {
  return lines(stage.output)
    .filter(({ msg, route }) => msg === 'publishing ended' || route === '/api/campaigns')
    .map(({ msg, trace_id }) => [msg, trace_id]);
}

/** All traces that a consumer of the stage names until the campaign is stored. */
async function consumed(user: TestUser, { id }: CampaignBody): Promise<unknown[]> {
  const consumer = stage.consumer();
  try {
    await untilStatus(stage, user, id, 'enviado');
    const settled = () => lines(consumer.output).filter(({ msg }) => msg === 'batch settled');
    await stage.until(() => settled().length > 0, 'the batch is in the log', PATIENCE_MS);
    return settled().flatMap(({ traceparents }) => traceparents);
  } finally {
    await consumer.kill();
  }
}

test('the trace of an upload is in the lines of the API and comes out at the consumer', async () => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  const campaign = await accepted(stage, ana, company, someNumbers(3), { headers: { traceparent: TRACEPARENT } });
  const traces = await consumed(ana, campaign);
  expect(new Set(traces)).toEqual(new Set([TRACEPARENT]));
  expect(told()).toEqual([
    ['publishing ended', TRACE_ID],
    ['answered', TRACE_ID],
  ]);
});

test.each([
  ['missing', {}],
  ['not valid', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }],
])('a trace that is %s is made once for the whole way', async (_, headers) => {
  stage = await ApiStage.open();
  const [ana, company] = await people();
  const campaign = await accepted(stage, ana, company, someNumbers(3), { headers });
  const [trace, ...others] = [...new Set(await consumed(ana, campaign))] as string[];
  expect([trace, others]).toEqual([expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/), []]);
  const id = trace?.split('-')[1];
  expect(told()).toEqual([
    ['publishing ended', id],
    ['answered', id],
  ]);
});

test('what another process publishes later is still of the trace of the upload', async () => {
  stage = await ApiStage.open({ start: false });
  await stage.start({ env: { RABBITMQ_URL: 'amqp://127.0.0.1:9' }, ready: false });
  await stage.until(async () => (await stage.api('GET', '/api/health')).body.postgres === 'up', 'it is migrated');
  const [ana, company] = await people();
  const campaign = await accepted(stage, ana, company, someNumbers(3), { headers: { traceparent: TRACEPARENT } });
  expect(campaign.status).toBe('pendente');
  await stage.stop();
  await stage.start();
  expect(new Set(await consumed(ana, campaign))).toEqual(new Set([TRACEPARENT]));
});

test('a request that fails has its trace in every line about it', async () => {
  stage = await ApiStage.open();
  const [ana] = await people();
  await stage.sql('ALTER TABLE campaigns RENAME COLUMN name TO other');
  const { status } = await stage.api('GET', '/api/campaigns', {
    token: ana.token,
    headers: { traceparent: TRACEPARENT },
  });
  expect(status).toBe(500);
  const answered = () => told().length === 2;
  await stage.until(answered, 'both lines are there');
  expect(told()).toEqual([
    ['a bug: the request failed', TRACE_ID],
    ['answered', TRACE_ID],
  ]);
});
