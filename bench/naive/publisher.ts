/**
 * The naive way in, as commonly written: the file is read whole, and each number becomes a queue message of its own whose
 * confirm is awaited before the next (`each`), or all are sent and the confirms are awaited at the end (`end`).
 * `node publisher.js FILE each|end`.
 */
import { readFile } from 'node:fs/promises';
import { createId } from '@paralleldrive/cuid2';
import { connect } from 'amqplib';
import { openPool, QUEUE, read } from './setting.js';

const [file = '', confirm = 'each'] = process.argv.slice(2);
const { databaseUrl, rabbitmqUrl, prefix } = read();
const pool = await openPool(databaseUrl);
// Kind to it: without noDelay the confirm of a message over 2,048 bytes takes 40 ms. These are smaller.
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
