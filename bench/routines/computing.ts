import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createId } from '@paralleldrive/cuid2';
import { NumberList } from '../../functions/recipients/number-list.js';
import { RecipientsFile } from '../../functions/recipients/recipients-file.js';
import { phoneNumber } from '../../testing/seeds.js';
import { numbersFile } from '../measure/numbers-file.js';
import { cpuSeconds, type Routine, requireAll } from './routine.js';

const MILLION = 1_000_000;
const IDENTIFIERS = 100_000;
const BRAZILIAN_MOBILE = /^(?:\+?55)?\(?([1-9]\d)\)?9\d{8}$/;

/** Routines that need only the processor, no service. */
export const computing: readonly Routine[] = [
  {
    name: 'lines into numbers',
    ways: [
      { name: 'from the bytes', clock: 'cpu', usual: MILLION, run: (_, items) => readBytes(items) },
      { name: 'readline and an expression', clock: 'cpu', usual: MILLION, run: (_, items) => readLines(items) },
    ],
  },
  {
    name: 'repeats dropped',
    ways: [
      { name: 'a table over an array of numbers', clock: 'cpu', usual: MILLION, run: (_, items) => dropInTable(items) },
      { name: 'a Set of texts', clock: 'cpu', usual: MILLION, run: (_, items) => dropInSet(items) },
    ],
  },
  {
    name: 'identifiers',
    ways: [{ name: 'cuid2', clock: 'cpu', usual: IDENTIFIERS, run: (_, items) => makeIdentifiers(items) }],
  },
];

/** Keeps the numbers, and does not look for duplicates. */
async function readBytes(items: number): Promise<number> {
  const { path, remove } = numbersFile(items);
  try {
    return await cpuSeconds(async () => {
      const file = new RecipientsFile();
      for await (const piece of createReadStream(path)) file.write(piece);
      requireAll((await file.finish({ allowDuplicates: true })).counts.accepted, items);
    });
  } finally {
    remove();
  }
}

async function readLines(items: number): Promise<number> {
  const { path, remove } = numbersFile(items);
  try {
    return await cpuSeconds(async () => {
      const numbers: string[] = [];
      for await (const line of createInterface({ input: createReadStream(path) }))
        if (BRAZILIAN_MOBILE.test(line)) numbers.push(line);
      requireAll(numbers.length, items);
    });
  } finally {
    remove();
  }
}

/** The whole list twice, one after the other, as in a file that was pasted behind itself. */
function dropInTable(items: number): Promise<number> {
  const list = new NumberList();
  for (let at = 0; at < items; at++) list.push(Number(phoneNumber(at % half(items)).slice(1)));
  return cpuSeconds(async () => {
    await list.dropRepeats();
    requireAll(list.size, half(items));
  });
}

function dropInSet(items: number): Promise<number> {
  const list = Array.from({ length: items }, (_, at) => phoneNumber(at % half(items)));
  return cpuSeconds(() => requireAll([...new Set(list)].length, half(items)));
}

function half(items: number): number {
  return Math.ceil(items / 2);
}

function makeIdentifiers(items: number): Promise<number> {
  return cpuSeconds(() => {
    let made = 0;
    for (let at = 0; at < items; at++) made += createId().length > 0 ? 1 : 0;
    requireAll(made, items);
  });
}
