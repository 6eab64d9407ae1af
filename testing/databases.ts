import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import pg from 'pg';

/** A connection to the broker and its one channel. */
export interface Broker {
  connection: ChannelModel;
  channel: ConfirmChannel;
}

/** Connects; what breaks later breaks the call that is made then. */
export async function openBroker(url: string): Promise<Broker> {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return { connection, channel };
}

/** One statement on a PostgreSQL server, outside of any transaction. */
export async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The URL of another database of a MongoDB server, with the same user, who stays the one of where it was made. */
export function withDatabase(url: string, name: string): string {
  const [, server = '', database = '', query = ''] = /^([^:]+:\/\/[^/?]+)\/?([^?]*)\??(.*)$/.exec(url) ?? [];
  const source = /authSource=/.test(query) || !server.includes('@') ? '' : `authSource=${database || 'admin'}`;
  return `${server}/${name}?${[query, source].filter(Boolean).join('&')}`;
}
