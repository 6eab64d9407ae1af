/** What a server has said to one command, whole: up to the end of its last line. */
export interface Reply {
  /** Undefined: its lines have no code, or not the same one. */
  code: number | undefined;
  /** The server's words, for a row of the ledger: at most 500 characters, none of them a control character. */
  text: string;
}

/** Of a text that is stored. */
export const MOST_CHARACTERS = 500;
/** PostgreSQL refuses NUL; the others are no words, and would move the cursor of a terminal. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;

/**
 * Cuts what a server sends into replies. nodemailer does so too, but takes `250-ok` with `550 no` below it for a success and
 * half a line, cut off by a lost connection, for a refusal. It is followed in where a reply ends, so that the n-th is the same.
 */
export class ReplyReader {
  #rest = '';
  #lines: string[] = [];

  /** A reply has begun and not ended. */
  get isWithin(): boolean {
    return this.#rest !== '' || this.#lines.length > 0;
  }

  /** The replies that end in this piece. */
  take(piece: Buffer): Reply[] {
    const lines = (this.#rest + piece.toString('latin1')).split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    const replies: Reply[] = [];
    for (const line of lines) {
      this.#lines.push(line);
      if (/^\d+-/.test(line)) continue;
      if (this.#lines.some((each) => each.trim() !== '')) replies.push(replyOf(this.#lines));
      this.#lines = [];
    }
    return replies;
  }
}

function replyOf(lines: readonly string[]): Reply {
  const codes = lines.map((line) => /^[2-5]\d\d(?=[ -]|$)/.exec(line)?.[0]);
  const same = codes.every((code) => code === codes[0]);
  return { code: same && codes[0] !== undefined ? Number(codes[0]) : undefined, text: wordsOf(lines.join(' ')) };
}

/** The text of bytes that are UTF-8, or else Latin-1: SMTP names no character set for what a server says. */
function wordsOf(latin1: string): string {
  const utf8 = Buffer.from(latin1, 'latin1').toString('utf8');
  const text = utf8.includes('\uFFFD') ? latin1 : utf8;
  return text.replace(CONTROL, ' ').trim().slice(0, MOST_CHARACTERS).toWellFormed();
}
