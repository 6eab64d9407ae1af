/** A recorded answer of the API, as it is shown next to a request. */
interface Answer {
  status: number;
  /** The reason phrase of the status. */
  reason: string;
  /** The names are in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** Recorded answers by the name of the request. */
export type Answers = Record<string, Answer>;

const SHOWN_HEADERS = ['content-type', 'location', 'pull-next', 'retry-after', 'www-authenticate'];
const LONGEST = 2_000;
/** Written in the place of a token. */
export const TOKEN_PLACEHOLDER = '<the access token>';
const KEY_PLACEHOLDER = 'evk_<the key of the client>';
const PIX_KEY_PLACEHOLDER = 'pix_<the key of the ISPB>';
const SECRET_PLACEHOLDER = 'whsec_<the secret of the endpoint>';
const PAYMENTS_SECRET_PLACEHOLDER = 'pay_<the secret of payments>';
const PDF_PLACEHOLDER = '<a PDF>';
const SIGNATURE_PLACEHOLDER = '<the signature>';

/** An answer that may be shown: without tokens, keys and signatures, and not too long. */
export function shown(status: number, reason: string, headers: [string, string][], body: string): Answer {
  const kept = headers
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    // serverless offline sets a content-type even for an empty body.
    .filter(([name]) => SHOWN_HEADERS.includes(name) && !(name === 'content-type' && body === ''));
  const text = isPdf(headers) ? PDF_PLACEHOLDER : cut(withoutSecrets(pretty(body)));
  return { status, reason, headers: Object.fromEntries(kept.sort()), body: text };
}

function isPdf(headers: [string, string][]): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === 'content-type' && value.startsWith('application/pdf'));
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
    .replaceAll(/whsec_[A-Za-z0-9+/]{32}/g, SECRET_PLACEHOLDER)
    .replaceAll(/evk_[\w-]{43}/g, KEY_PLACEHOLDER)
    .replaceAll(/pix_[\w-]{43}/g, PIX_KEY_PLACEHOLDER)
    .replaceAll(/pay_[\w-]{43}/g, PAYMENTS_SECRET_PLACEHOLDER)
    .replaceAll(/\?[^"\s]*X-Amz-Signature=[^"\s]*/g, `?${SIGNATURE_PLACEHOLDER}`)
    .replaceAll(/"http:\/\/127\.0\.0\.1:\d+\//g, '"http://127.0.0.1:9000/');
}

function cut(body: string): string {
  return body.length > LONGEST ? `${body.slice(0, LONGEST)}\n...` : body;
}
