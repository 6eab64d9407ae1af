import type { Reason } from './triage.js';

/** What became of a message. Of a refused one: the event that holds its key, and the client, where it names one in its form. */
export type Outcome =
  | { kind: 'stored' | 'duplicate'; eventId: string }
  | { kind: 'refused'; reason: Reason; detail: string; eventId?: string; clientId?: string | undefined };
