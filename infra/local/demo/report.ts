import { MESSAGES, type MessageDocument, messageRange, messagesDatabase } from '@disparo/contract';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import { colour, say } from '../supervise/terminal.js';
import type { FileCounts } from './client.js';
import { table } from './table.js';

const SHOWN = 10;
const DEFAULT_WIDTH = 100;

/** Prints what is in the stores, not what the API says: the documents in MongoDB and the campaign's row in PostgreSQL. */
export async function report(urls: { MONGODB_URL: string; DATABASE_URL: string }, campaignId: string): Promise<void> {
  const width = process.stdout.columns ?? DEFAULT_WIDTH;
  const { documents, count } = await readDocuments(urls.MONGODB_URL, campaignId);
  const shown = count > documents.length ? `, the first ${documents.length} shown` : '';
  say(
    `\n${colour('bold', `MongoDB: ${count.toLocaleString('en')} ${count === 1 ? 'document' : 'documents'}`)}${shown}`,
  );
  const rows = documents.map((document) => [
    String(document.sequence),
    document.phone_number,
    document.identifier,
    document.created_at.toISOString().replace('T', ' ').replace('Z', ''),
  ]);
  say(table(['sequence', 'phone_number', 'identifier', 'created_at'], rows, width));

  const row = await readCampaign(urls.DATABASE_URL, campaignId);
  say(`\n${colour('bold', 'PostgreSQL: the campaign')}`);
  say(table(Object.keys(row), [Object.values(row).map(String)], width));
}

/** Prints how many of the file's lines were accepted, and which were not. */
export function reportFile(name: string, counts: FileCounts): void {
  const { rejects, rejects_kept: _, phone_column: __, ...numbers } = counts;
  const words = Object.entries(numbers).map(([word, value]) => `${value.toLocaleString('en')} ${word}`);
  say(`\n${colour('bold', `File ${name}:`)} ${words.join(', ')}`);
  for (const { line, value, reason } of rejects) say(`  line ${line}: ${colour('yellow', reason)}  ${value}`);
  if (counts.invalid > rejects.length) say(`  and ${(counts.invalid - rejects.length).toLocaleString('en')} more`);
}

async function readDocuments(
  url: string,
  campaignId: string,
): Promise<{ documents: MessageDocument[]; count: number }> {
  const client = new MongoClient(url);
  try {
    const messages = client.db(messagesDatabase(url)).collection<MessageDocument>(MESSAGES);
    const range = { _id: messageRange(campaignId) };
    const documents = await messages.find(range).sort({ _id: 1 }).limit(SHOWN).toArray();
    return { documents, count: await messages.countDocuments(range) };
  } finally {
    await client.close();
  }
}

async function readCampaign(url: string, campaignId: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT id, status, total, published, stored FROM campaigns WHERE id = $1', [
      campaignId,
    ]);
    return rows[0] as Record<string, unknown>;
  } finally {
    await client.end();
  }
}
