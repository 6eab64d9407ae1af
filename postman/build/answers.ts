/** What the API answered once, as it is shown beside a request. */
export interface Answer {
  status: number;
  /** The words of the status. */
  reason: string;
  /** In lower case. */
  headers: Record<string, string>;
  body: string;
}

/** By the name of the request. */
export type Answers = Record<string, Answer>;

const SHOWN_HEADERS = ['content-type', 'location', 'retry-after', 'www-authenticate'];
const LONGEST = 2_000;
/** What stands where a token stood. */
export const TOKEN_PLACEHOLDER = '<the access token>';
const SIGNATURE_PLACEHOLDER = '<the signature>';

/** An answer as it may be shown: no token, no signature, not too long. */
export function shown(status: number, reason: string, headers: [string, string][], body: string): Answer {
  const kept = headers
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    // serverless offline gives a type to nothing, too.
    .filter(([name]) => SHOWN_HEADERS.includes(name) && !(name === 'content-type' && body === ''));
  return { status, reason, headers: Object.fromEntries(kept.sort()), body: cut(withoutSecrets(pretty(body))) };
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function withoutSecrets(body: string): string {
  return body
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, TOKEN_PLACEHOLDER)
    .replaceAll(/\?[^"\s]*X-Amz-Signature=[^"\s]*/g, `?${SIGNATURE_PLACEHOLDER}`)
    .replaceAll(/"http:\/\/127\.0\.0\.1:\d+\//g, '"http://127.0.0.1:9000/');
}

function cut(body: string): string {
  return body.length > LONGEST ? `${body.slice(0, LONGEST)}\n...` : body;
}
