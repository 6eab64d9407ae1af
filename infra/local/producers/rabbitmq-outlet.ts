import { backoffMs, declareEvents, eventsQueue, pause, type Says, Service, untilUp } from '@disparo/contract';
import type { Config } from '../../../functions/platform/config.js';
import {
  destroy,
  NotPublished,
  notPublished,
  openChannel,
} from '../../../functions/platform/stores/rabbitmq-channel.js';
import { Link } from '../../../functions/platform/stores/rabbitmq-link.js';
import type { Outlet } from './publish.js';
import type { Message } from './stream.js';
import type { Tally } from './tally.js';

const HEARTBEAT_S = 30;
/** A message that is in flight is waited for: a second Ctrl-C ends the command. */
const NEVER = new AbortController().signal;

/** The queue of events on RabbitMQ: persistent messages with confirms, a connection after the other. */
export class RabbitmqOutlet implements Outlet {
  readonly batch = 1;
  readonly window = 256;
  readonly #service: Service;
  readonly #queue: string;
  #link: Promise<Link> | undefined;
  #nacked = false;

  constructor(
    private readonly config: Config,
    private readonly tally: Tally,
    private readonly says: Says,
  ) {
    this.#service = new Service('RabbitMQ', 'RABBITMQ_URL', config.rabbitmqUrl, says);
    this.#queue = eventsQueue(config.queuePrefix);
  }

  async send(messages: readonly Message[]): Promise<void> {
    await Promise.all(messages.map((message) => this.#send(message)));
  }

  async waiting(): Promise<number> {
    return untilUp(NEVER, this.#service, async () => (await this.#open()).ready(this.#queue));
  }

  async close(): Promise<void> {
    await this.#link?.then((link) => link.close()).catch(() => {});
  }

  async #send(message: Message): Promise<void> {
    for (let nacks = 0; !(await untilUp(NEVER, this.#service, () => this.#isConfirmed(message))); nacks++) {
      if (!this.#nacked)
        this.says.info('RabbitMQ refuses events, as it does when their queue is full; they are sent again');
      this.#nacked = true;
      await pause(NEVER, backoffMs(nacks + 1));
    }
    this.tally.confirm(message, `b:${message.id}`);
  }

  /** False: the broker is there and does not take it now. Rejects with NotPublished. */
  async #isConfirmed({ id: messageId, body: content }: Message): Promise<boolean> {
    const link = await this.#open();
    const properties = { messageId, persistent: true, contentType: 'application/json' };
    try {
      await link.publish(this.#queue, this.#queue, { content, properties });
      return true;
    } catch (error) {
      if (error instanceof NotPublished && error.reason === 'nacked') return false;
      throw error;
    }
  }

  #open(): Promise<Link> {
    if (this.#link !== undefined) return this.#link;
    const forget = () => {
      if (this.#link === opening) this.#link = undefined;
    };
    const opening = this.#connect(forget).catch((error: unknown) => {
      forget();
      throw notPublished(error);
    });
    this.#link = opening;
    return opening;
  }

  /** The queue is declared on each connection: whoever is first makes it. */
  async #connect(forget: () => void): Promise<Link> {
    const { connection, channel } = await openChannel(this.config, HEARTBEAT_S);
    try {
      await declareEvents(channel, this.config.queuePrefix, this.config.queueType);
      return new Link(connection, channel, forget);
    } catch (error) {
      destroy(connection);
      throw error;
    }
  }
}
