import { contractJson } from './contract-file.js';

/**
 * The values that an option may have. With `kept` it reaches the driver; every other known option is left out, because it
 * changes nothing here.
 */
type Form = { kept?: true; repeated?: true } & (
  | { is: 'boolean' }
  | { is: 'text' }
  | { is: 'word'; of: string[] }
  | { is: 'words'; of: string[] }
  | { is: 'integer'; min: number; max: number }
);

const FORMS = contractJson<Record<'MONGODB_URL' | 'RABBITMQ_URL', Record<string, Form>>>('url-options.json');
const TLS_OPTIONS = ['tlsinsecure', 'tlscafile', 'tlscertificatekeyfile'];
const MAX_DATABASE_BYTES = 63;
/** https://www.mongodb.com/docs/manual/reference/limits/#std-label-restrictions-on-db-names */
const NO_DATABASE_NAME = /[/\\. "$\0]/;

/** A URL that no driver may see. The error has no words: they could hold a part of a password. */
class Unusable extends Error {}

/**
 * A URL with only those of its options that reach the driver: every language's driver takes these in the same way. Undefined
 * for a URL with an unknown option or a wrong value: an option that one language obeys and another ignores would make one
 * deployment behave in two ways.
 */
export function withStrictOptions(variable: keyof typeof FORMS, url: string): string | undefined {
  try {
    const [, before = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(url) ?? [];
    const options = optionsOf(FORMS[variable], query);
    if (variable === 'MONGODB_URL') requireMongo(url, before, options);
    const kept = [...options].filter(([name]) => FORMS[variable][name]?.kept);
    const written = kept.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
    const whole = variable === 'MONGODB_URL' && !/:\/\/[^/]*\//.test(before) ? `${before}/` : before;
    return written === '' ? whole : `${whole}?${written}`;
  } catch (error) {
    if (error instanceof Unusable || error instanceof URIError) return undefined;
    throw error;
  }
}

function optionsOf(forms: Record<string, Form>, query: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const pair of query.split('&').filter(Boolean)) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
    const key = decodeURIComponent(name).toLowerCase();
    const form = Object.hasOwn(forms, key) ? forms[key] : undefined;
    const text = decodeURIComponent(value);
    require(form !== undefined && isOf(form, text) && (form.repeated || !options.has(key)));
    options.set(key, text);
  }
  return options;
}

function isOf(form: Form, value: string): boolean {
  if (value === '') return form.repeated === true;
  if (form.is === 'boolean') return value === 'true' || value === 'false';
  if (form.is === 'word') return form.of.includes(value);
  if (form.is === 'words') return value.split(',').every((word) => form.of.includes(word));
  if (form.is === 'text') return true;
  return /^-?\d{1,10}$/.test(value) && Number(value) >= form.min && Number(value) <= form.max;
}

/** Checks the rules for options together, and for an option together with the rest of the URL. */
function requireMongo(url: string, before: string, options: Map<string, string>): void {
  const [, scheme = '', user, hosts = '', path = ''] = /^([^:]*):\/\/(?:(.*)@)?([^/]*)\/?(.*)$/s.exec(before) ?? [];
  const srv = scheme === 'mongodb+srv';
  const on = (name: string) => options.get(name) === 'true';
  const database = decodeURIComponent(path);
  require(!url.includes('#') && !NO_DATABASE_NAME.test(database));
  require(Buffer.byteLength(database) <= MAX_DATABASE_BYTES);
  for (const name of ['srvmaxhosts', 'srvservicename']) require(srv || !options.has(name));
  const one = !hosts.includes(',') && !srv;
  require(!on('directconnection') || one);
  require(!on('loadbalanced') || (!hosts.includes(',') && !options.has('replicaset') && !on('directconnection')));
  const limited = Number(options.get('srvmaxhosts') ?? 0) > 0;
  require(!limited || (!options.has('replicaset') && !on('loadbalanced')));
  const [tls, ssl] = [options.get('tls'), options.get('ssl')];
  require(tls === undefined || ssl === undefined || tls === ssl);
  const encrypted = (tls ?? ssl ?? String(srv)) === 'true';
  for (const name of TLS_OPTIONS) require(encrypted || !options.has(name));
  requireCredentials(user, options, encrypted);
}

/** A user and a password, or neither. With MONGODB-X509: a certificate instead of the password. */
function requireCredentials(user: string | undefined, options: Map<string, string>, encrypted: boolean): void {
  const [, name = '', password] = /^([^:]*)(?::(.*))?$/s.exec(user ?? '') ?? [];
  const mechanism = options.get('authmechanism');
  if (mechanism === 'MONGODB-X509') {
    require(name !== '' && password === undefined && encrypted && options.has('tlscertificatekeyfile'));
    require((options.get('authsource') ?? '$external') === '$external');
    return;
  }
  require(user === undefined ? mechanism === undefined : name !== '' && Boolean(password));
  // Without a user it has no meaning, but not every driver ignores it then.
  if (user === undefined) options.delete('authsource');
}

function require(condition: boolean): void {
  if (!condition) throw new Unusable();
}
