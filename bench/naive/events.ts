/**
 * The naive consumer of events, as commonly written: one message at a time, JSON.parse, one plain INSERT, one acknowledgement.
 * What is no JSON is acknowledged and gone. No schema is checked, and a repeat is stored again. It says when it has settled as
 * many messages as each of its arguments says.
 */
import { connect } from 'amqplib';
import pg from 'pg';
import { read } from './setting.js';

/** In its favour: the next message is here before the last one is acknowledged. */
const PREFETCH = 500;

const marks = new Set(process.argv.slice(2).map(Number));
const { databaseUrl, rabbitmqUrl, prefix } = read();
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
await client.query(
  'CREATE TABLE naive_events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_type text, client_id text, message text)',
);
const connection = await connect(rabbitmqUrl, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(PREFETCH);
let all = 0;
let said = 0;
let last = Promise.resolve();
await channel.consume(`${prefix}.events`, (delivery) => {
  if (!delivery) return;
  last = last.then(async () => {
    const event = parse(delivery.content.toString());
    if (event)
      await client.query('INSERT INTO naive_events (event_type, client_id, message) VALUES ($1, $2, $3)', [
        event.event_type,
        event.client_id,
        JSON.stringify(event.message),
      ]);
    channel.ack(delivery);
    all += 1;
    if (!marks.has(all)) return;
    say({ msg: 'events settled', stored: all - said });
    said = all;
  });
});
say({ msg: 'receiving events' });

function parse(text: string): { event_type: string; client_id: string; message: unknown } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify({ level: 30, ...line })}\n`);
}
