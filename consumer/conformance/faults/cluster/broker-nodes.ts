import { randomBytes } from 'node:crypto';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clone, State } from '../../../../services/clone.js';
import { freePort } from '../../../../services/ports.js';
import { nodeName } from '../../../../services/rabbitmq.js';
import { privateFolder, serviceUser } from '../../../../services/user.js';
import { OwnService } from '../../../../testing/own-service.js';
import { Balancer } from './balancer.js';
import { Epmd } from './epmd.js';

const NODES = 3;
const WHOLE_MS = 120_000;
const POLL_MS = 250;

/** A cluster of three RabbitMQ nodes behind one address. A minority that loses the others stops. */
export class BrokerNodes {
  private constructor(
    private readonly nodes: OwnService[],
    private readonly epmd: Epmd,
    private readonly balancer: Balancer,
  ) {}

  static async start(): Promise<BrokerNodes> {
    const epmd = await Epmd.listen(await freePort());
    const nodes: OwnService[] = [];
    const [cookie, password] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];
    const prepare = async (clone: Clone, state: State) => {
      state.password = password;
      state.ports.epmd = epmd.port;
      // The first node makes the cluster; each other one looks for it.
      const names = [...nodes.map((node) => nodeName(node.clone)), nodeName(clone)];
      state.member = { rabbitmq: ['cluster_partition_handling = pause_minority', ...discovery(names)] };
      await writeCookie(clone, cookie);
    };
    try {
      nodes.push(await OwnService.start('rabbitmq', prepare));
      const others = await Promise.allSettled(
        Array.from({ length: NODES - 1 }, () => OwnService.start('rabbitmq', prepare)),
      );
      for (const other of others) if (other.status === 'fulfilled') nodes.push(other.value);
      for (const other of others) if (other.status === 'rejected') throw other.reason;
      const ports = nodes.map(({ state }) => state.ports.rabbitmq);
      const cluster = new BrokerNodes(nodes, epmd, await Balancer.before(ports));
      await cluster.untilWhole();
      return cluster;
    } catch (error) {
      await Promise.allSettled(nodes.map((node) => node.close()));
      await epmd.close();
      throw error;
    }
  }

  /** The cluster's URL, through the balancer. */
  get url(): string {
    const url = new URL(this.nodes[0]?.services.RABBITMQ_URL ?? '');
    url.port = String(this.balancer.port);
    return url.href;
  }

  /** The node that leads the quorum queue or holds the classic queue of this name. */
  async nodeOf(queue: string): Promise<OwnService> {
    const living = this.nodes.find((node) => node.alive);
    const listed = (await living?.control('list_queues', 'name', 'pid', 'leader')) ?? '';
    const line = listed.split('\n').find((one) => one.split('\t')[0] === queue);
    const node = this.nodes.find(({ clone }) => line?.includes(clone.id));
    if (!node) throw new Error(`no node has ${queue}: ${listed}`);
    return node;
  }

  /** Separates a node from the others; its clients still reach it. Waits until another node has noticed. */
  async cut(node: OwnService): Promise<void> {
    this.epmd.cut(nodeName(node.clone));
    const other = this.nodes.find((one) => one !== node);
    if (other) await untilRunning(other, NODES - 1);
  }

  mend(): void {
    this.epmd.mend();
  }

  /** Waits until each node sees all the others. */
  async untilWhole(): Promise<void> {
    for (const node of this.nodes) await untilRunning(node, NODES);
  }

  /** Starts what was killed, and waits until the cluster is whole. */
  async repair(): Promise<void> {
    this.mend();
    for (const node of this.nodes) if (!node.alive) await node.start();
    await this.untilWhole();
  }

  async close(): Promise<void> {
    await this.balancer.close();
    // One after the other, so that each hands its part over to those that are left.
    for (const node of this.nodes) await node.close();
    await this.epmd.close();
  }
}

/** Waits until a node sees `count` running nodes, itself included. Each question takes seconds: it starts a program. */
async function untilRunning(node: OwnService, count: number): Promise<void> {
  let seen = '';
  for (const deadline = performance.now() + WHOLE_MS; performance.now() < deadline; await delay(POLL_MS)) {
    seen = await node.control('eval', 'length(rabbit_nodes:all_running()).').catch(String);
    if (seen.trim() === String(count)) return;
  }
  throw new Error(`not ${count} nodes: ${seen}`);
}

function discovery(names: string[]): string[] {
  const listed = names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`);
  return ['cluster_formation.peer_discovery_backend = classic_config', ...listed];
}

/** Writes the Erlang cookie: nodes with the same one trust each other. */
async function writeCookie(clone: Clone, cookie: string): Promise<void> {
  const user = await serviceUser('rabbitmq');
  const file = join(privateFolder(join(clone.data, 'rabbitmq'), user), '.erlang.cookie');
  writeFileSync(file, cookie, { mode: 0o400 });
  if (user) chownSync(file, user.uid, user.gid);
}
