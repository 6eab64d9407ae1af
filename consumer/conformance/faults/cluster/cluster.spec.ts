import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { topology } from '@disparo/contract';
import { afterAll, describe, it } from 'vitest';
import type { Variable } from '../../../../services/names.js';
import type { OwnService } from '../../../../testing/own-service.js';
import { languageUnderTest } from '../../../../testing/process.js';
import { Scope } from '../../runner/cases.js';
import { BrokerNodes } from './broker-nodes.js';
import { CLUSTER_CASES, type ClusterCase, type ClusterResult } from './names.js';
import { PostgresPair } from './postgres-pair.js';
import { ReplicaSet } from './replica-set.js';
import { Trial } from './trial.js';

const TIMEOUT_MS = 600_000;
const NODE_BACK_MS = 5_000;
const CUT_OFF_MS = 10_000;
/** How long campaigns are sent before PostgreSQL dies, and after its standby has taken over. */
const SENDING_MS = 3_000;

/** Set by `npm run faults -- cluster`: the file for the lines of its table, and the one case to run (unset: all). */
const { CLUSTER_RESULTS, CLUSTER_CASE } = process.env;
const language = languageUnderTest();

/** A case: the services, and what is done to them. */
interface Set {
  urls: Partial<Record<Variable, string>>;
  env?: Record<string, string>;
  /** Called when everything runs and nothing is sent yet. Returns what is to be done in the middle of the drain. */
  aim(): Promise<() => Promise<void>>;
  sendingMs?: number;
}

/** Takes most of a minute to start, so cases share it. Each leaves it whole. */
let nodes: Promise<BrokerNodes> | undefined;
// When they did not start, there is nothing to close.
afterAll(async () => (await nodes?.catch(() => undefined))?.close(), TIMEOUT_MS);

const SETS: Record<ClusterCase, (scope: Scope) => Promise<Set>> = {
  'quorum-leader': (scope) => onNodes(scope, 'quorum', (_, leader) => leader.kill()),
  'classic-node': (scope) =>
    onNodes(scope, 'classic', async (_, node) => {
      await node.kill();
      await delay(NODE_BACK_MS);
      await node.start();
    }),
  partition: (scope) =>
    onNodes(scope, 'quorum', async (cluster, leader) => {
      await cluster.cut(leader);
      await delay(CUT_OFF_MS);
      cluster.mend();
    }),
  'mongodb-primary': async (scope) => {
    const set = scope.cleaned(await ReplicaSet.start());
    return {
      urls: { ...(await alone(scope, 'postgres', 'rabbitmq')), MONGODB_URL: set.url },
      async aim() {
        const primary = await set.primary();
        return () => primary.kill();
      },
    };
  },
  'postgres-standby': async (scope) => {
    const pair = scope.cleaned(await PostgresPair.start());
    return {
      urls: { ...(await alone(scope, 'mongodb', 'rabbitmq')), DATABASE_URL: pair.url },
      aim: async () => () => pair.failOver(),
      sendingMs: SENDING_MS,
    };
  },
};

describe.skipIf(CLUSTER_RESULTS === undefined)('a cluster that loses a part', { timeout: TIMEOUT_MS }, () => {
  const names = (Object.keys(CLUSTER_CASES) as ClusterCase[]).filter((name) => (CLUSTER_CASE ?? name) === name);
  it.for(names)(`loses no number and doubles none: %s, ${language}`, async (name, { skip, onTestFinished }) => {
    const scope = new Scope(skip);
    onTestFinished(() => scope.close().catch(() => {}));
    await tried(name, await SETS[name](scope));
    await scope.close();
  });
});

/** A case on three brokers and one of each store. `hit` gets the node that leads the quorum queue or has the classic one. */
async function onNodes(
  scope: Scope,
  type: 'quorum' | 'classic',
  hit: (cluster: BrokerNodes, node: OwnService) => Promise<void>,
): Promise<Set> {
  nodes ??= BrokerNodes.start();
  const cluster = await nodes;
  scope.cleaned({ close: () => cluster.repair() });
  const prefix = `${type}_${Date.now()}`;
  return {
    urls: { ...(await alone(scope, 'postgres', 'mongodb')), RABBITMQ_URL: cluster.url },
    env: { QUEUE_TYPE: type, QUEUE_PREFIX: prefix },
    async aim() {
      const node = await cluster.nodeOf(topology(prefix, 1).queue(0));
      return () => hit(cluster, node);
    },
  };
}

async function alone(scope: Scope, ...names: Parameters<Scope['own']>[0][]): Promise<Set['urls']> {
  const started = await Promise.all(names.map((name) => scope.own(name)));
  return Object.assign({}, ...started.map(({ services }) => services));
}

async function tried(name: ClusterCase, { urls, env = {}, aim, sendingMs }: Set): Promise<void> {
  const trial = await Trial.open(language, urls as Record<Variable, string>, env);
  const result: ClusterResult = { name, language, seconds: 0, exact: false };
  try {
    await trial.untilReady();
    const hit = await aim();
    await trial.untilDraining();
    const stop = new AbortController();
    const sending = sendingMs === undefined ? undefined : trial.sendUntil(stop.signal);
    // Awaited below. Until then its failure must not end the process, so that a hit that fails is reported first.
    sending?.catch(() => {});
    await delay(sendingMs ?? 0);
    const begun = performance.now();
    const hitting = hit()
      .then(() => delay(sendingMs ?? 0))
      .finally(() => stop.abort());
    await Promise.all([hitting, sending]);
    await trial.untilSent();
    result.seconds = (performance.now() - begun) / 1_000;
    await trial.judge();
    result.exact = true;
  } catch (error) {
    if (error instanceof Error) error.message += `\nOutput: ${trial.folder}`;
    throw error;
  } finally {
    await trial.close(result.exact);
    appendFileSync(CLUSTER_RESULTS ?? '', `${JSON.stringify(result)}\n`);
  }
}
