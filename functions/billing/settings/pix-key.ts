import { governmentIdKind } from '../government-id.js';

/** In a Pix code a key has 77 characters at most. */
const EMAIL = /^(?=.{3,77}$)[a-z0-9.!#$&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/;
/** E.164 with its plus, which tells a phone from a CPF. */
const PHONE = /^\+[1-9]\d{7,14}$/;
/** A random key (EVP). */
const RANDOM = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Before letters change their case: there are others that become ASCII by it. */
const ASCII = /^[\x20-\x7e]+$/;
const PUNCTUATION = /[./\- ]/g;

/**
 * A Pix key as the central bank's directory writes it: a CNPJ or CPF with right check digits, a phone with country code, an
 * e-mail, or a UUID. Undefined: it is none. By a key with a slip of the pen the money would go to nobody, or to another.
 */
export function pixKeyOf(text: string): string | undefined {
  if (!ASCII.test(text)) return undefined;
  const plain = text.trim().toLowerCase();
  if (EMAIL.test(plain) || PHONE.test(plain) || RANDOM.test(plain)) return plain;
  const document = plain.replace(PUNCTUATION, '').toUpperCase();
  return governmentIdKind(document) === 'unverified' ? undefined : document;
}
