const BASE = 36;
/** The most characters of a txid in a static Pix code, and as many as 128 bits need in base 36. */
const LENGTH = 25;
/** In either letter case, since the letters are digits: a bank that writes them in lower case means the same debt. */
const TXID = /^[0-9A-Za-z]{25}$/;
const LONGEST = BigInt(`0x${'f'.repeat(32)}`);

/** The Pix txid of a debt: its UUID in base 36, upper case, 25 characters. It can be read back, so nothing stores it. */
export function txidOf(debtId: string): string {
  return BigInt(`0x${debtId.replaceAll('-', '')}`)
    .toString(BASE)
    .toUpperCase()
    .padStart(LENGTH, '0');
}

/** The debt that a txid stands for, a UUID in lower case; undefined when no debt can have that txid. */
export function debtIdOf(txid: string): string | undefined {
  if (txid.length !== LENGTH || !TXID.test(txid)) return undefined;
  let number = 0n;
  for (const digit of txid) number = number * BigInt(BASE) + BigInt(Number.parseInt(digit, BASE));
  if (number > LONGEST) return undefined;
  const hex = number.toString(16).padStart(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
