import { MOST_CHARACTERS, type Reply } from './smtp-replies.js';

/** What became of one mail, by what its own connection saw (billing.md, section 5). Nothing else is deduced. */
export type MailResult =
  /** 2xx after the dot. */
  | { result: 'sent'; response: string }
  /** 5xx to RCPT, but for those that say that we must log in first, or 5xx after the dot. */
  | { result: 'refused'; response: string }
  /**
   * Proved not sent, and of this mail: 4xx to RCPT or after the dot, 4xx or 5xx to DATA, or the end of the mail was not handed
   * over, and then `response` is our own words.
   */
  | { result: 'later'; response: string }
  /**
   * Proved not sent, and not because of this mail: connection, MAIL FROM, or ourselves. `ours`: our clock, or our
   * end; the server may well be there.
   */
  | { result: 'unsent'; reason: string; ours?: true }
  /** The end of the mail was handed over, and no answer came. */
  | { result: 'unknown'; reason: string };

/** What one connection has seen of one mail. */
export interface Course {
  /** To MAIL FROM, RCPT TO, DATA and the dot, in this order: one recipient a mail. */
  readonly replies: Reply[];
  /** The dot may have been written. */
  handedOver: boolean;
  /** The dot had left this process when the reply to it came. */
  dotHadLeft: boolean;
  /** What ended it, where no reply did. */
  why: string;
  /** We ended it, before its end: by our clock, or as this process stops. */
  ours: boolean;
}

/**
 * The table of billing.md, section 5. A reply counts for the command whose turn it is. Only a 2xx that came after the dot is
 * `sent`; whatever cannot be told once the dot may be on its way is `unknown`.
 */
export function resultOf(course: Course): MailResult {
  // First of all: whatever was said before, with a dot on its way only the answer to it counts.
  return course.handedOver ? afterTheEnd(course) : beforeTheEnd(course);
}

function afterTheEnd({ replies, dotHadLeft, why }: Course): MailResult {
  const end = replies[3];
  if (!end) return { result: 'unknown', reason: `${why}, after the end of the mail` };
  if (kindOf(end) === 5) return { result: 'refused', response: end.text };
  if (kindOf(end) === 4) return { result: 'later', response: end.text };
  if (kindOf(end) === 2 && dotHadLeft) return { result: 'sent', response: end.text };
  return { result: 'unknown', reason: `the end of the mail is answered with: ${end.text}` };
}

function beforeTheEnd({ replies, why, ours }: Course): MailResult {
  const [mail, rcpt, data, end] = replies;
  if (ours) return { result: 'unsent', reason: why, ours };
  if (!mail) return { result: 'unsent', reason: `${why}, before an answer to MAIL FROM` };
  if (kindOf(mail) !== 2) return { result: 'unsent', reason: `MAIL FROM is answered with: ${mail.text}` };
  if (!rcpt) return { result: 'later', response: `${why}, before an answer to RCPT TO` };
  // It is we who are refused: all mails would fail for good by a login that is missing.
  if (rcpt.code === 503 || rcpt.code === 530) return { result: 'later', response: rcpt.text };
  if (kindOf(rcpt) === 5) return { result: 'refused', response: rcpt.text };
  if (kindOf(rcpt) === 4) return { result: 'later', response: rcpt.text };
  if (kindOf(rcpt) !== 2) return { result: 'later', response: ownWords(`RCPT TO is answered with: ${rcpt.text}`) };
  if (!data) return { result: 'later', response: `${why}, before an answer to DATA` };
  if (kindOf(data) === 4 || kindOf(data) === 5) return { result: 'later', response: data.text };
  if (data.code !== 354) return { result: 'later', response: ownWords(`DATA is answered with: ${data.text}`) };
  if (end) return { result: 'later', response: ownWords(`answered before the end of the mail with: ${end.text}`) };
  return { result: 'later', response: `${why}, before the end of the mail` };
}

/** Whether the server has agreed to all that comes before a body, and has said nothing else. */
export function wantsBody([mail, rcpt, data, ...others]: readonly Reply[]): boolean {
  return kindOf(mail) === 2 && kindOf(rcpt) === 2 && data?.code === 354 && others.length === 0;
}

function ownWords(text: string): string {
  return text.slice(0, MOST_CHARACTERS).toWellFormed();
}

function kindOf(reply: Reply | undefined): number | undefined {
  return reply?.code === undefined ? undefined : Math.floor(reply.code / 100);
}
