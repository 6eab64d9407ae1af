/** An answer of HTTP. */
export interface Answer {
  status: number;
  /** By their names in lower case. Of a header that comes twice, the last. */
  headers: Record<string, string>;
  body: string;
  /** Whether the connection takes another request. */
  keepsAlive: boolean;
}

/** What came is no answer of HTTP. */
export class NotHttp extends Error {}

const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';
/** No answer of the API that is loaded comes near; more is a server that never ends. */
const LONGEST_BYTES = 1 << 20;

/**
 * The answer that `bytes` are, all that came since its request; undefined while a part is missing. `closed`: nothing follows.
 * An answer of 1xx is passed over. Throws NotHttp.
 */
export function parseAnswer(bytes: Buffer, closed = false): Answer | undefined {
  if (bytes.length > LONGEST_BYTES) throw new NotHttp(`an answer of more than ${LONGEST_BYTES} bytes`);
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) {
    const beginning = bytes.toString('latin1', 0, 5);
    if (!'HTTP/'.startsWith(beginning)) throw new NotHttp(`it begins with ${JSON.stringify(beginning)}`);
    return undefined;
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, headEnd).split(LINE_END);
  const [, version, digits] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(first) ?? [];
  if (digits === undefined) throw new NotHttp(`it begins with ${JSON.stringify(first.slice(0, 40))}`);
  const status = Number(digits);
  const rest = bytes.subarray(headEnd + HEAD_END.length);
  if (status < 200) return parseAnswer(rest, closed);
  const headers = Object.fromEntries(lines.map(headerOf));
  const body = bodyOf(rest, status, headers, closed);
  if (body === undefined) return undefined;
  const { text, delimited } = body;
  const connection = (headers.connection ?? '').toLowerCase();
  const keepsAlive = delimited && !closed && (version === '1' ? connection !== 'close' : connection === 'keep-alive');
  return { status, headers, body: text, keepsAlive };
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new NotHttp(`a header without a name: ${JSON.stringify(line.slice(0, 40))}`);
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** The body, and whether its length was told; without that its end is the end of the connection (RFC 9112, 6.3). */
function bodyOf(
  rest: Buffer,
  status: number,
  headers: Record<string, string>,
  closed: boolean,
): { text: string; delimited: boolean } | undefined {
  if (status === 204 || status === 304) return whole(rest, 0);
  if (headers['transfer-encoding'] !== undefined) {
    if (headers['transfer-encoding'].toLowerCase() !== 'chunked') throw new NotHttp('a transfer encoding not chunked');
    return chunksOf(rest);
  }
  const length = headers['content-length'];
  if (length === undefined) return closed ? { text: rest.toString(), delimited: false } : undefined;
  if (!/^\d{1,9}$/.test(length)) throw new NotHttp(`Content-Length: ${length.slice(0, 40)}`);
  return rest.length < Number(length) ? undefined : whole(rest, Number(length));
}

function whole(rest: Buffer, length: number): { text: string; delimited: true } {
  if (rest.length > length) throw new NotHttp('more bytes than the answer has');
  return { text: rest.toString(), delimited: true };
}

function chunksOf(rest: Buffer): { text: string; delimited: true } | undefined {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf(LINE_END, at);
    if (lineEnd < 0) return undefined;
    const [, size] = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(rest.toString('latin1', at, lineEnd)) ?? [];
    if (size === undefined) throw new NotHttp('a chunk without a size');
    const length = Number.parseInt(size, 16);
    const from = lineEnd + LINE_END.length;
    if (length === 0) {
      // Trailers, if any, end with an empty line; without them that line is the one after the size.
      const end = rest.indexOf(HEAD_END, lineEnd);
      if (end < 0) return undefined;
      if (rest.length > end + HEAD_END.length) throw new NotHttp('more bytes than the answer has');
      return { text: Buffer.concat(chunks).toString(), delimited: true };
    }
    at = from + length + LINE_END.length;
    if (rest.length < at) return undefined;
    if (rest.toString('latin1', at - LINE_END.length, at) !== LINE_END)
      throw new NotHttp('a chunk longer than its size');
    chunks.push(rest.subarray(from, from + length));
  }
}
