import { causes, refusal } from './refusal.js';

const LONGEST = 300;

/**
 * Why a service cannot be reached, in one line for an operator: in our words where the code of the error is known, else in
 * the driver's. It never holds the password of the URL.
 */
export function describe(error: unknown, url: string): string {
  const refused = refusal(error);
  if (refused !== undefined) return withoutSecrets(refused, url);
  for (const cause of causes(error)) {
    const { code, address, port, hostname } = cause as Record<'code' | 'address' | 'port' | 'hostname', unknown>;
    if (code === 'ECONNREFUSED') return `connection refused at ${address}:${port}`;
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `unknown host ${hostname}`;
  }
  const text = firstMessage(error).split('\n')[0];
  return withoutSecrets(text || 'no reason given', url);
}

/**
 * Cuts the URL, its password and phone numbers out of a driver's text, and what a store quotes of a document or a command.
 */
function withoutSecrets(text: string, url: string): string {
  const password = /^[^:]+:\/\/[^/]*?:([^/]*)@/.exec(url)?.[1];
  const secrets = [url, password, password && decoded(password)].filter((secret) => secret);
  const unquoted = text.replace(/ (to execute command|dup key:) .*/s, '').replace(/\+\d{8,15}/g, '***');
  return secrets.reduce<string>((left, secret) => left.replaceAll(secret ?? '', '***'), unquoted).slice(0, LONGEST);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An AggregateError (several addresses of one host) has no message of its own. */
function firstMessage(error: unknown): string {
  const { message, errors, cause } = error as { message?: unknown; errors?: unknown[]; cause?: unknown };
  if (typeof message === 'string' && message !== '') return message;
  const inner = errors?.[0] ?? cause;
  return inner ? firstMessage(inner) : String(error);
}
