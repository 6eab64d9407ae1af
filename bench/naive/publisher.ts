/**
 * The naive publisher, as commonly written: it reads the whole file, and each number becomes one queue message. With `each`
 * it waits for a message's confirm before the next; with `end` it sends all, then waits for the confirms.
 * `node publisher.js FILE each|end`.
 */
import { readFile } from 'node:fs/promises';
import { createId } from '@paralleldrive/cuid2';
import { connect } from 'amqplib';
import { openPool, QUEUE, read } from './setting.js';

const [file = '', confirm = 'each'] = process.argv.slice(2);
const { databaseUrl, rabbitmqUrl, prefix } = read();
const pool = await openPool(databaseUrl);
// In its favour: without noDelay the confirm of a message over 2,048 bytes takes 40 ms. These messages are smaller.
const connection = await connect(rabbitmqUrl, { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue(prefix + QUEUE, { durable: true });
const ready = performance.now();

const numbers = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
const id = createId();
await pool.query(`INSERT INTO naive_campaigns (id, total, status) VALUES ($1, $2, 'queued')`, [id, numbers.length]);
for (const [index, phone_number] of numbers.entries()) {
  const message = {
    campaign_id: id,
    phone_number,
    message: 'Olá!',
    sequence: index + 1,
    last: index + 1 === numbers.length,
  };
  const body = Buffer.from(JSON.stringify(message));
  if (confirm === 'end') channel.sendToQueue(prefix + QUEUE, body, { persistent: true });
  else
    await new Promise<void>((resolve, reject) => {
      channel.sendToQueue(prefix + QUEUE, body, { persistent: true }, (error) => (error ? reject(error) : resolve()));
    });
}
await channel.waitForConfirms();
const ended = performance.now();
process.stdout.write(`${JSON.stringify({ msg: 'published', id, publish_ms: ended - ready })}\n`);
await connection.close();
await pool.end();
