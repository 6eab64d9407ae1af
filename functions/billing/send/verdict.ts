import type { MailResult } from './smtp.js';

/** What the ledger keeps of an attempt. Again: minutes until the mail may be tried again; null: at once, or never. */
export interface Verdict {
  what: 'enviada' | 'recusada' | 'depois' | 'desconhecida';
  /** What counts as a response: an attempt without one costs the mail nothing. */
  said: string | null;
  againMinutes: number | null;
}

/** Until a mail goes again, by how many of its attempts had a response before: 1 min, 5, 15, 1 h, 4, 12. After these it has failed. */
const AGAIN_MINUTES = [1, 5, 15, 60, 240, 720];
/** With more attempts that had a response a mail does not go again by itself. */
export const MOST_ANSWERED = AGAIN_MINUTES.length;

/** A mail as far as the verdict on it goes. */
interface Tried {
  /** How many of its earlier attempts had a response. */
  answered: number;
  /** What its company wants of a mail that may have been sent. */
  unknown: 'hold' | 'resend';
}

/**
 * | the connection saw | company holds | company resends |
 * |---|---|---|
 * | sent | enviada | enviada |
 * | refused | recusada | recusada |
 * | later | depois; after the last time recusada | the same |
 * | unsent | depois, without a response, at once | the same |
 * | unknown | desconhecida | depois; after the last time desconhecida |
 *
 * guard: what is unknown is never `recusada`, since it may have been read, nor pending by itself where the company holds (B4).
 */
export function verdictOf(result: MailResult, { answered, unknown }: Tried): Verdict {
  const againMinutes = AGAIN_MINUTES[answered] ?? null;
  switch (result.result) {
    case 'sent':
      return { what: 'enviada', said: result.response, againMinutes: null };
    case 'refused':
      return { what: 'recusada', said: result.response, againMinutes: null };
    case 'later':
      return { what: againMinutes === null ? 'recusada' : 'depois', said: result.response, againMinutes };
    case 'unsent':
      return { what: 'depois', said: null, againMinutes: null };
    case 'unknown': {
      const goesAgain = unknown === 'resend' && againMinutes !== null;
      const said = `unknown: ${result.reason}`;
      return goesAgain ? { what: 'depois', said, againMinutes } : { what: 'desconhecida', said, againMinutes: null };
    }
  }
}
