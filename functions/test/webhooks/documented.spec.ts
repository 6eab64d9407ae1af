import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
/** The same for all signatures: two that are made one after the other may be of two seconds. */
const NOW = new Date();
const BODY = '{"type":"olá"}';

type IsSigned = (body: string, headers: Record<string, string>, secret: string) => boolean;

/** The example of docs/api.md. */
async function documented(): Promise<IsSigned> {
  const [, code = ''] = /```js\n(import \{ createHmac.*?)```/s.exec(readFileSync('docs/api.md', 'utf8')) ?? [];
  const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { isSigned: IsSigned };
  return module.isSigned;
}

/** As an implementation of Standard Webhooks signs that is not ours. */
function signed(secret = SECRET, at = NOW): Record<string, string> {
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('evt_1', at, BODY),
  };
}

test('the documented check takes a right signature, alone or next to that of another secret', async () => {
  const isSigned = await documented();
  const [own, other] = [signed(), signed(OTHER)];
  const both = `${other['webhook-signature']} ${own['webhook-signature']}`;
  expect(isSigned(BODY, own, SECRET)).toBe(true);
  expect(isSigned(BODY, { ...own, 'webhook-signature': both }, SECRET)).toBe(true);
});

test.each<[string, Record<string, string>, string]>([
  ['another body', signed(), `${BODY} `],
  ['another id', { ...signed(), 'webhook-id': 'evt_2' }, BODY],
  ['another secret', signed(OTHER), BODY],
  ['an old time', signed(SECRET, new Date(Date.now() - 301_000)), BODY],
  ['no time', { ...signed(), 'webhook-timestamp': '' }, BODY],
  ['no headers', {}, BODY],
])('the documented check refuses %s', async (_, headers, body) => {
  const isSigned = await documented();
  expect(isSigned(body, headers, SECRET)).toBe(false);
});
