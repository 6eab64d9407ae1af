import { declareTopology } from '@disparo/contract';
import { expect } from 'vitest';
import { openBroker } from '../../../testing/databases.js';
import { allNumbers } from '../../../testing/seeds.js';
import type { Stage } from '../../../testing/stage.js';
import { until } from '../../../testing/until.js';
import { prove } from '../runner/cases.js';

const QUORUM = { QUEUE_TYPE: 'quorum' };
const UNDECLARED = { declared: false };
/** Over 20: RabbitMQ 4 drops a message of a quorum queue that has come back 20 times, unless the queue says otherwise. */
const DEATHS = 25;

prove('a quorum queue', [
  {
    name: 'is declared as the other apps declare it, and drained in order',
    why: 'One app that says an argument otherwise is refused by the broker, and the campaigns wait for it.',
    async run(scope) {
      const stage = await scope.stage(UNDECLARED);
      await declareTopology(stage.channel, stage.env.QUEUE_PREFIX, 1, 'quorum');
      const { id, chunks } = await stage.campaign(200, 10);
      await stage.publish(chunks);
      stage.consumer(QUORUM);
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(200));
    },
  },
  {
    name: `keeps a message on which ${DEATHS} consumers have died`,
    why: 'A consumer that a machine without memory kills again and again would make the broker drop what it was about to store.',
    async run(scope) {
      const stage = await scope.stage(UNDECLARED);
      const declaring = stage.consumer(QUORUM);
      await declaring.untilSaid('receiving');
      expect(await declaring.kill()).toBe('killed by us');
      const { id, chunks } = await stage.campaign(5);
      await stage.publish(chunks);
      for (let death = 0; death < DEATHS; death++) await takeAndDie(stage);
      stage.consumer(QUORUM);
      await stage.untilStatus(id, 'enviado');
      expect(await stage.ready(stage.names.deadLetterQueue)).toBe(0);
    },
  },
]);

/** Does what a consumer does that dies with its first delivery. */
async function takeAndDie({ env, names }: Stage): Promise<void> {
  const { connection, channel } = await openBroker(env.RABBITMQ_URL);
  let taken = 0;
  await channel.consume(names.queue(0), () => taken++);
  await until(() => expect(taken).toBe(1));
  await connection.close();
}
