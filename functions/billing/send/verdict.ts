import type { MailResult } from './smtp/smtp.js';

/** What the ledger keeps of an attempt. Again: minutes until the mail may be tried again; null: at once, or never. */
export interface Verdict {
  what: 'enviada' | 'recusada' | 'depois' | 'desconhecida';
  /** What counts as a response: an attempt without one costs the mail nothing. */
  said: string | null;
  againMinutes: number | null;
}

/**
 * Until a mail goes again, by how many of its attempts had a response before: 1 min, 5, 15, 1 h, 4, 12. After these it has failed.
 * billing_sweep has their number.
 */
const AGAIN_MINUTES = [1, 5, 15, 60, 240, 720];

/** A mail as far as the verdict on it goes. */
interface Tried {
  /** How many of its earlier attempts had a response. */
  answered: number;
  /** One of them may have been sent. */
  wasUnknown: boolean;
  /** What its company wants of a mail that may have been sent. */
  unknown: 'hold' | 'resend';
}

/**
 * | the connection saw | company holds | company resends |
 * |---|---|---|
 * | sent | enviada | enviada |
 * | refused | recusada | recusada; desconhecida where it was unknown before |
 * | later | depois; after the last time recusada | the same |
 * | unsent | depois, without a response, at once | the same |
 * | unknown | desconhecida | depois; after the last time desconhecida |
 *
 * guard: what is unknown is never pending by itself where the company holds (B4). Nor is what was unknown once `recusada`, since it
 * may have been read; unless a person has decided since, as they do where the company holds.
 */
export function verdictOf(result: MailResult, { answered, wasUnknown, unknown }: Tried): Verdict {
  const failed = wasUnknown && unknown === 'resend' ? 'desconhecida' : 'recusada';
  const againMinutes = AGAIN_MINUTES[answered] ?? null;
  switch (result.result) {
    case 'sent':
      return { what: 'enviada', said: result.response, againMinutes: null };
    case 'refused':
      return { what: failed, said: result.response, againMinutes: null };
    case 'later':
      return { what: againMinutes === null ? failed : 'depois', said: result.response, againMinutes };
    case 'unsent':
      return { what: 'depois', said: null, againMinutes: null };
    case 'unknown': {
      const goesAgain = unknown === 'resend' && againMinutes !== null;
      const said = `unknown: ${result.reason}`;
      return goesAgain ? { what: 'depois', said, againMinutes } : { what: 'desconhecida', said, againMinutes: null };
    }
  }
}
