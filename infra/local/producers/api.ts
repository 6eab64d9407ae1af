import { EXIT } from '@disparo/contract';
import { CommandError } from '../../../services/command-error.js';

const REQUEST_TIMEOUT_MS = 30_000;

/** An answer of the API; `body` is parsed JSON, or undefined where it is none. */
export interface Answer<T> {
  status: number;
  body: T;
}

/** A problem of the API, as far as it is read. */
export interface Problem {
  code?: string;
  detail?: string;
}

/** Sends one request with a Bearer and JSON; a Buffer is sent as it is. Rejects with an Error when no answer comes. */
export async function ask<T>(
  url: string,
  { method = 'GET', bearer, body }: { method?: string; bearer?: string | undefined; body?: object } = {},
): Promise<Answer<T>> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: Error) => {
    throw new Error(error.cause instanceof Error ? error.cause.message : error.message);
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) as T };
  } catch {
    return { status: response.status, body: undefined as T };
  }
}

/** What the API refuses, as one line. */
export function refusedBy(what: string, { status, body }: Answer<Problem | undefined>): CommandError {
  const words = body?.detail
    ? `${body.detail} (${body.code ?? status})`
    : `it answered ${status} ${body?.code ?? ''}`.trim();
  return new CommandError(`${what}: ${words}`, status < 500 ? EXIT.configuration : EXIT.bug);
}
