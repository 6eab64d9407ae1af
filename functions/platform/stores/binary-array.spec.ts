import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OwnDatabase, ownDatabase, quietPool } from '../../../testing/databases.js';
import { byteaArray, int4Array, textArray } from './binary-array.js';

let database: OwnDatabase;
let pool: pg.Pool;

beforeAll(async () => {
  database = await ownDatabase();
  pool = quietPool({ connectionString: database.url });
});

afterAll(async () => {
  await pool?.end();
  await database?.drop();
});

const TEXTS = ['', 'a "b" \\c, {d}', null, 'NULL', 'não 🌱\n', 'x'.repeat(70_000)];
const NUMBERS = [1, null, -1, 0x7fff_ffff, -0x8000_0000];
const BYTES = [Buffer.from([0, 255, 92, 120]), null, Buffer.alloc(0)];

test.each<[string, Buffer, unknown[]]>([
  ['text', textArray(TEXTS), TEXTS],
  ['text', textArray([]), []],
  ['text', textArray([null]), [null]],
  ['int4', int4Array(NUMBERS), NUMBERS],
  ['int4', int4Array([]), []],
  ['bytea', byteaArray(BYTES), BYTES],
  ['bytea', byteaArray([]), []],
])('PostgreSQL reads %s[] as it was: %#', async (type, array, values) => {
  const { rows } = await pool.query(`SELECT $1::${type}[] AS found, array_length($1::${type}[], 1) AS length`, [array]);
  expect(rows).toEqual([{ found: values, length: values.length || null }]);
});

// Else it would be another number.
test('a number that int4 does not hold is refused', () => {
  expect(() => int4Array([2 ** 31])).toThrow(RangeError);
});
