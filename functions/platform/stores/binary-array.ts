/** OIDs of the types of elements, which never change: pg_type.dat. */
const OID = { bytea: 17, int4: 23, text: 25 } as const;
/** Number of dimensions, whether there are nulls, type of the elements; then length and lower bound of the one dimension. */
const HEADER = 5 * 4;
const LENGTH = 4;
const NULL = -1;

/**
 * An array as a parameter, in the form of PostgreSQL's array_recv: a Buffer is sent as it is. As text, every element would be
 * quoted, escaped and read again, and bytes have two letters each.
 */
function binaryArray<T>(
  oid: number,
  values: readonly (T | null)[],
  sizeOf: (value: T) => number,
  write: (to: Buffer, value: T, at: number) => void,
): Buffer {
  const sizes = values.map((value) => (value === null ? NULL : sizeOf(value)));
  const array = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + LENGTH + Math.max(size, 0), HEADER));
  const hasNull = sizes.includes(NULL) ? 1 : 0;
  let at = 0;
  for (const each of [1, hasNull, oid, values.length, 1]) at = array.writeInt32BE(each, at);
  for (const [place, value] of values.entries()) {
    const size = sizes[place] as number;
    at = array.writeInt32BE(size, at);
    if (value === null) continue;
    write(array, value, at);
    at += size;
  }
  return array;
}

/** int4[]. Throws RangeError where a value is not in int4. */
export function int4Array(values: readonly (number | null)[]): Buffer {
  return binaryArray(
    OID.int4,
    values,
    () => 4,
    (to, value, at) => to.writeInt32BE(value, at),
  );
}

/** text[]. U+0000 is refused by PostgreSQL, as in any parameter. */
export function textArray(values: readonly (string | null)[]): Buffer {
  return binaryArray(OID.text, values, Buffer.byteLength, (to, value, at) => to.write(value, at));
}

/** bytea[]. */
export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  return binaryArray(
    OID.bytea,
    values,
    ({ length }) => length,
    (to, value, at) => value.copy(to, at),
  );
}
