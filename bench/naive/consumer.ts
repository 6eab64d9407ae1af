/**
 * The naive consumer, as commonly written: one message at a time, one insert, one acknowledgement, and one UPDATE at the
 * end of the campaign. It keeps none of the promises of consumer/README.md.
 */
import { createId } from '@paralleldrive/cuid2';
import { connect } from 'amqplib';
import { MongoClient } from 'mongodb';
import { openPool, QUEUE, read } from './setting.js';

interface Message {
  campaign_id: string;
  phone_number: string;
  message: string;
  sequence: number;
  last: boolean;
}

const { databaseUrl, mongodbUrl, rabbitmqUrl, prefix } = read();
const pool = await openPool(databaseUrl);
const mongo = await new MongoClient(mongodbUrl).connect();
const messages = mongo.db().collection('naive_messages');
const connection = await connect(rabbitmqUrl, { noDelay: true });
const channel = await connection.createChannel();
await channel.assertQueue(prefix + QUEUE, { durable: true });
await channel.prefetch(1);
await channel.consume(prefix + QUEUE, async (delivery) => {
  if (!delivery) return;
  const { last, ...message } = JSON.parse(delivery.content.toString()) as Message;
  const now = new Date();
  await messages.insertOne({ identifier: createId(), ...message, created_at: now, updated_at: now, deleted: false });
  if (last) await pool.query(`UPDATE naive_campaigns SET status = 'sent' WHERE id = $1`, [message.campaign_id]);
  channel.ack(delivery);
});
process.stdout.write(`${JSON.stringify({ msg: 'receiving' })}\n`);
