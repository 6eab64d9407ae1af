/**
 * The naive consumer of events, as commonly written: one message at a time, its schema, one plain INSERT into the same table
 * with all its keys, one acknowledgement. What is no event is acknowledged and gone, and a repeat is passed over. It says when
 * it has settled as many messages as each of its arguments says.
 */
import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { connect } from 'amqplib';
import pg from 'pg';
import { read } from './setting.js';

/** In its favour: the next message is here before the last one is acknowledged. */
const PREFETCH = 500;

const INSERT = {
  name: 'insert',
  text: `INSERT INTO events (company_id, client_id, type_id, dedupe_key, content, message, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (client_id, dedupe_key) DO NOTHING`,
};

interface Row {
  client_id: string;
  name: string;
  company_id: string;
  id: number;
  schema: object;
}

const marks = new Set(process.argv.slice(2).map(Number));
const { databaseUrl, rabbitmqUrl, prefix } = read();
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
const { rows: registered } = await client.query<Row>(
  `SELECT c.client_id, t.name, c.company_id, t.id, t.schema FROM event_clients c JOIN event_types t USING (company_id)`,
);
const ajv = new Ajv2020();
const types = new Map(
  registered.map(({ client_id, name, company_id, id, schema }) => [
    `${client_id} ${name}`,
    { company: company_id, id, check: ajv.compile(schema) },
  ]),
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
    if (event) await client.query(INSERT, event);
    channel.ack(delivery);
    all += 1;
    if (!marks.has(all)) return;
    say({ msg: 'events settled', stored: all - said });
    said = all;
  });
});
say({ msg: 'receiving events' });

/** The values of its row; undefined where it is no event. */
function parse(text: string): unknown[] | undefined {
  try {
    const { id, event_type, client_id, message, time } = JSON.parse(text);
    const type = types.get(`${client_id} ${event_type}`);
    const kept = typeof message === 'string' ? message : JSON.stringify(message);
    if (!type?.check(typeof message === 'string' ? JSON.parse(message) : message)) return undefined;
    const content = createHash('sha256').update(kept).digest();
    return [type.company, client_id, type.id, `p:${id}`, content, kept, time];
  } catch {
    return undefined;
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify({ level: 30, ...line })}\n`);
}
