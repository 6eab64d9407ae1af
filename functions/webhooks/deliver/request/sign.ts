import { createHmac } from 'node:crypto';

/** Each secret begins with it, as Standard Webhooks wants. */
export const SECRET_PREFIX = 'whsec_';

/**
 * The header `webhook-signature` of Standard Webhooks: `v1,` and a base64 HMAC-SHA256 for each secret, with blanks between.
 * A receiver takes the request when one of them is right.
 * @param secrets each `whsec_` and the base64 of its key
 * @param timestamp seconds, as in the header `webhook-timestamp`
 * @param body the bytes that are sent
 */
export function signatureOf(secrets: readonly string[], id: string, timestamp: string, body: Buffer): string {
  return secrets
    .map((secret) => createHmac('sha256', Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')))
    .map((hmac) => `v1,${hmac.update(`${id}.${timestamp}.`).update(body).digest('base64')}`)
    .join(' ');
}
