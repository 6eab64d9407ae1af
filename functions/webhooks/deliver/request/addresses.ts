import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The only block of IPv6 from which IANA gives out public addresses. All else is special, or nobody's yet. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** RFC 6052: IPv4 as a network without it sees it. Such networks reach all of the Internet's IPv4 by these. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/**
 * Azure gives each of its machines this address within its own network, for its agent's settings and secrets and for names. By
 * IANA it is as public as any. The addresses of metadata of other clouds are link-local, unique-local, shared or special.
 */
const AZURE_PLATFORM = '168.63.129.16';

/**
 * Why nothing is sent to this URL, in words that follow "the url"; undefined: nothing speaks against it. A company's
 * URL decides where this machine connects to, so the inside network must be out of its reach. What a name resolves to is
 * checked when it is resolved. Any port is allowed: on a public host it is as public as 443. @param allowPrivate for local
 * work: private addresses, and http, are allowed
 */
export function refusalOf(url: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(url)) return 'is not a valid URL';
  // The parser that the request uses: 0x7f.1, 2130706433 and 127.0.0.1 are the same host to it.
  const { protocol, username, password, hash, hostname } = new URL(url);
  if (protocol !== 'https:' && !(allowPrivate && protocol === 'http:')) return 'must start with https://';
  if (username !== '' || password !== '') return 'must not contain a user or a password';
  if (hash !== '') return 'must not contain a fragment: it is never sent';
  if (!allowPrivate && isInside(hostname)) return 'must lead to a public address';
  return undefined;
}

/**
 * Whether an address, as a resolver returns it, can be reached by everyone: neither private, loopback, link-local,
 * unique-local, shared, mapped, a tunnel, a cloud's for its own machines, nor special in any other way by IANA's registries.
 * False for what is no address.
 */
export function isPublic(address: string): boolean {
  // After a % stands an interface of this machine.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast' && address !== AZURE_PLATFORM;
  if (parsed.match(NAT64)) return isPublic(ipaddr.fromByteArray(parsed.toByteArray().slice(-4)).toString());
  return parsed.match(GLOBAL_UNICAST) && parsed.range() === 'unicast';
}

/** Node resolves no host that is an address, so that no look-up would check it. @param hostname a URL's */
function isInside(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  const address = name.replace(/^\[(.*)\]$/, '$1');
  return isIP(address) !== 0 && !isPublic(address);
}
