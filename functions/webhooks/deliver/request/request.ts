import { eventId } from '../../../events/event-id.js';
import type { Outgoing, OutgoingEvent } from '../delivery.js';
import { signatureOf } from './sign.js';

/**
 * What an attempt sends, by Standard Webhooks. The body is the same at each attempt; time and signature are the attempt's.
 * @param nowMs since 1970
 */
export function requestOf(
  { event, secrets }: Outgoing,
  nowMs: number,
): { headers: Record<string, string>; body: Buffer } {
  const body = bodyOf(event);
  const id = eventId(event.id);
  const timestamp = String(Math.floor(nowMs / 1_000));
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.byteLength),
    // The start of the answer is kept to be read by people.
    'accept-encoding': 'identity',
    'user-agent': 'Disparo-Webhooks',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatureOf(secrets, id, timestamp, body),
  };
  return { headers, body };
}

/** Made from the event alone: a receiver may compare a repeat byte by byte. */
function bodyOf({ id, type, clientId, version, time, message, receivedAt }: OutgoingEvent): Buffer {
  const data = { id: eventId(id), client_id: clientId, version, time, message };
  return Buffer.from(JSON.stringify({ type, timestamp: receivedAt.toISOString(), data }));
}
