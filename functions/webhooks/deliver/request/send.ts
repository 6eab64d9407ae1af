import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Injectable, Optional } from '@nestjs/common';
import { Config } from '../../../platform/config.js';
import type { Answer } from '../delivery.js';
import { refusalOf } from './addresses.js';
import { exchange } from './exchange.js';
import { failureOf, Unanswered } from './failure.js';
import { checkedLookup, type Resolve, resolveByDns, resolveHere } from './look-up.js';
import { retryAfterMs } from './retry-after.js';

/** For one request, from the look-up of the name to the last byte of the answer. */
export const REQUEST_MS = 15_000;
/** Until the next address of a name is tried. Node's 250 ms are too short for a host on another continent. */
const ADDRESS_MS = 3_000;

/** What a test may set. */
interface Surroundings {
  resolve?: Resolve;
  limitMs?: number;
  /** Since 1970. */
  nowMs?: () => number;
  /** Certificates, as PEM, in place of those that Node trusts. */
  ca?: string;
}

/** Sends one request. */
@Injectable()
export class SendWebhook {
  readonly #allowPrivate: boolean;
  readonly #limitMs: number;
  readonly #nowMs: () => number;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor({ webhooksAllowPrivate }: Config, @Optional() { resolve, limitMs, nowMs, ca }: Surroundings = {}) {
    this.#allowPrivate = webhooksAllowPrivate;
    this.#limitMs = limitMs ?? REQUEST_MS;
    this.#nowMs = nowMs ?? Date.now;
    const options = {
      lookup: checkedLookup(resolve ?? (webhooksAllowPrivate ? resolveHere : resolveByDns), webhooksAllowPrivate),
      // A connection that is used again may be closed just as a request goes out: nobody would know whether it came.
      keepAlive: false,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ADDRESS_MS,
    };
    this.#http = new HttpAgent(options);
    // Guard: whatever NODE_TLS_REJECT_UNAUTHORIZED says. No session is kept: each connection checks the certificate.
    this.#https = new HttpsAgent({ ...options, rejectUnauthorized: true, maxCachedSessions: 0, ...(ca && { ca }) });
  }

  /** POSTs the body, and follows no redirect. Never rejects: what went wrong is in the answer. */
  async send(url: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<Answer> {
    const began = performance.now();
    const answer = await this.#attempt(url, headers, body).catch((error) => ({
      status: null,
      error: failureOf(error),
      response: null,
      retryAfterMs: null,
    }));
    return { ...answer, tookMs: Math.round(performance.now() - began) };
  }

  async #attempt(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
  ): Promise<Omit<Answer, 'tookMs'>> {
    // Guard: Node looks up no host that is an address; and the URL may have been accepted under another configuration.
    const refusal = refusalOf(url, this.#allowPrivate);
    if (refusal !== undefined) throw new Unanswered(`the url ${refusal}`);
    const target = new URL(url);
    const request =
      target.protocol === 'https:'
        ? httpsRequest(target, { method: 'POST', headers, agent: this.#https })
        : httpRequest(target, { method: 'POST', headers, agent: this.#http });
    const { head, start } = await exchange(request, body, this.#limitMs);
    return {
      status: head.statusCode ?? 0,
      error: null,
      response: start,
      retryAfterMs: retryAfterMs(head.headers['retry-after'], this.#nowMs()),
    };
  }
}
