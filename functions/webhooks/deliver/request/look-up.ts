import dns, { type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublic } from './addresses.js';
import { Unanswered } from './failure.js';

/** The addresses of a name. Rejects, or returns none, when it has none. */
export type Resolve = (name: string) => Promise<LookupAddress[]>;

const DNS = { timeout: 2_000, tries: 2 };

/** As the machine does it, with its hosts file: for local work. Two look-ups run at once, so one that hangs delays others. */
export async function resolveHere(name: string): Promise<LookupAddress[]> {
  return dns.promises.lookup(name, { all: true });
}

/**
 * From DNS servers alone. Never by `dns.lookup`: that takes a thread of a few for as long as a name's server is silent, and
 * so one company's dead name would hold up the requests of all. @param servers the machine's, without it
 */
export async function resolveByDns(name: string, servers?: readonly string[]): Promise<LookupAddress[]> {
  const resolver = new dns.promises.Resolver(DNS);
  if (servers) resolver.setServers(servers);
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return [
    ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
    ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
  ];
}

/**
 * The look-up of an agent, which hands on the addresses that it has checked. Guard: it is the only look-up of a request, so
 * that a name which resolves to another address a moment later leads nowhere else. Fails with Unanswered.
 */
export function checkedLookup(resolve: Resolve, allowPrivate: boolean): LookupFunction {
  return (name, { all }, callback) => {
    allowedAddresses(name, resolve, allowPrivate).then(
      ([first, ...others]) => {
        if (all) callback(null, [first, ...others]);
        else callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, []),
    );
  };
}

async function allowedAddresses(
  name: string,
  resolve: Resolve,
  allowPrivate: boolean,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const found = await resolve(name).catch(() => []);
  if (found.length === 0) throw new Unanswered('the name cannot be resolved');
  const [first, ...others] = found.filter(({ address }) => allowPrivate || isPublic(address));
  if (first === undefined) throw new Unanswered('the address of the name is not public');
  return [first, ...others];
}
