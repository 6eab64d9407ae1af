import { readFileSync } from 'node:fs';

/** The text of a file of the contract: read as it stands, never retyped. */
export function contractText(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

/** A JSON file of the contract. The caller names its shape. */
export function contractJson<T>(name: string): T {
  return JSON.parse(contractText(name)) as T;
}
