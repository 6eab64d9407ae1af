const LONGEST = 300;

/** Why a service cannot be reached, in one line for an operator. The password of the URL never stands in it. */
export function describe(error: unknown, url: string): string {
  const text = firstMessage(error).split('\n')[0] ?? '';
  const refused = /ECONNREFUSED ([^\s,]+)/.exec(text);
  if (refused) return `connection refused at ${refused[1]}`;
  const unknown = /(?:ENOTFOUND|EAI_AGAIN) (\S+)/.exec(text);
  if (unknown) return `unknown host ${unknown[1]}`;
  if (/ETIMEDOUT|timed out|timeout/i.test(text)) return `timed out (${withoutSecrets(text, url)})`;
  return withoutSecrets(text || 'no reason given', url);
}

/** Cuts the URL and its password out of a driver's text; and what a store quotes of a document or a command. */
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
