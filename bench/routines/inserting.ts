import { MESSAGES_WRITE_CONCERN } from '@disparo/contract';
import { type Collection, MongoBulkWriteError } from 'mongodb';
import { phoneNumber } from '../../testing/seeds.js';
import type { Stage } from '../../testing/stage.js';
import { secondsSince, slices } from '../campaign.js';
import { type Routine, requireAll } from './routine.js';

const BATCH = 1_000;
const FEW = 2_000;
const MANY = 20_000;
const SAFE = { writeConcern: MESSAGES_WRITE_CONCERN };
const DUPLICATE = 11000;

interface Numbered {
  _id: string;
  phone_number: string;
}

/** Ways of inserting documents into MongoDB, with the write concern of the consumers. */
export const inserting: readonly Routine[] = [
  {
    name: 'documents that survive a crash',
    ways: [
      { name: '1,000 an insert', clock: 'wall', usual: MANY, run: (stage, items) => insertBatches(stage, items) },
      { name: 'one an insert', clock: 'wall', usual: FEW, run: (stage, items) => insertOnes(stage, items) },
    ],
  },
  {
    name: 'documents again',
    ways: [
      { name: 'new', clock: 'wall', usual: MANY, run: (stage, items) => insertBatches(stage, items) },
      { name: 'all there already', clock: 'wall', usual: MANY, run: (stage, items) => insertAgain(stage, items) },
    ],
  },
];

function collectionOf(stage: Stage): Collection<Numbered> {
  return stage.mongo.collection('bench_routines');
}

/** The identifiers are padded, so that they sort like the numbers, as in the consumers' collection. */
function documents(items: number): Numbered[] {
  return Array.from({ length: items }, (_, at) => {
    return { _id: String(at + 1).padStart(9, '0'), phone_number: phoneNumber(at + 1) };
  });
}

async function insertBatches(stage: Stage, items: number): Promise<number> {
  const collection = collectionOf(stage);
  const batches = [...slices(documents(items), BATCH)];
  const begun = performance.now();
  for (const batch of batches) await collection.insertMany(batch, { ordered: false, ...SAFE });
  const seconds = secondsSince(begun);
  requireAll(await collection.countDocuments(), items);
  return seconds;
}

async function insertOnes(stage: Stage, items: number): Promise<number> {
  const collection = collectionOf(stage);
  const begun = performance.now();
  for (const document of documents(items)) await collection.insertOne(document, SAFE);
  const seconds = secondsSince(begun);
  requireAll(await collection.countDocuments(), items);
  return seconds;
}

async function insertAgain(stage: Stage, items: number): Promise<number> {
  await insertBatches(stage, items);
  const collection = collectionOf(stage);
  const batches = [...slices(documents(items), BATCH)];
  let refused = 0;
  const begun = performance.now();
  for (const batch of batches)
    await collection.insertMany(batch, { ordered: false, ...SAFE }).catch((error: unknown) => {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      refused += [error.writeErrors].flat().filter(({ code }) => code === DUPLICATE).length;
    });
  const seconds = secondsSince(begun);
  requireAll(refused, items);
  return seconds;
}
