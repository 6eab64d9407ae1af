import { isAscii } from 'node:buffer';
import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { SmtpConfig } from '../../../platform/config.js';
import { LazyBody } from './smtp-body.js';
import { nameOf, openClient, SmtpUnavailable, serverOf } from './smtp-open.js';
import { ReplyReader } from './smtp-replies.js';
import { type Course, type MailResult, resultOf, wantsBody } from './smtp-result.js';

export { SmtpUnavailable } from './smtp-open.js';
export type { MailResult } from './smtp-result.js';

/** One mail to one recipient. `bytes`: the whole message, header and all, its dots not doubled. */
export interface Mail {
  from: string;
  to: string;
  bytes: Buffer;
}

/** How long things may take. Tests shorten them. */
export interface SmtpLimits {
  /** From begin to the first byte of the body. */
  handOverMs: number;
  /** From begin to the end of a send, answered or not. */
  sendMs: number;
  /** From the first packet to a connection that mails can be sent over. */
  openMs: number;
  /** For the answer to RSET or QUIT; a connection without one is dropped. */
  tidyMs: number;
}

const LIMITS: SmtpLimits = { handOverMs: 30_000, sendMs: 120_000, openMs: 30_000, tidyMs: 2_000 };
/** A timer that is so late was not late because of the server: this process stood still. */
const FROZEN_MS = 1_000;
/** What an address is here. Others are refused at the door, and would be commands of their own. */
const ADDRESS = /^[\x21-\x3b\x3d\x3f-\x7e]+$/;

/** The time since right before the begin of a mail, by the clock that has run further: the monotonic one stands still while a machine sleeps. */
export class Begun {
  readonly #monotonic = performance.now();
  readonly #wall = Date.now();

  get elapsedMs(): number {
    return Math.max(performance.now() - this.#monotonic, Date.now() - this.#wall);
  }
}

/** A connection to the mail server over which mails go, one after the other. */
export class SmtpConnection {
  readonly #replies = new ReplyReader();
  /** Ends the send under way; undefined: none is. */
  #stop: ((why: string) => void) | undefined;
  #course: Course | undefined;
  #body: LazyBody | undefined;

  private constructor(
    private readonly client: SMTPConnection,
    private readonly socket: Socket,
    private readonly server: string,
    private readonly limits: SmtpLimits,
  ) {
    // Ahead of the client's own, which tells us of a reply: by then it is in the course.
    socket.prependListener('data', (piece: Buffer) => this.#hear(piece));
  }

  /**
   * Greeting, EHLO, STARTTLS and AUTH are done. Rejects with SmtpUnavailable. `trusted`: a certificate, in PEM, that is taken
   * besides those of well-known authorities.
   */
  static async open(config: SmtpConfig, limits?: Partial<SmtpLimits>, trusted?: string): Promise<SmtpConnection> {
    const all = { ...LIMITS, ...limits };
    const server = serverOf(config.url);
    const client = await openClient(server, all.openMs, trusted);
    const { _socket: socket } = client;
    if (!socket) throw new SmtpUnavailable(`mail server ${nameOf(server)}: it has closed the connection`);
    return new SmtpConnection(client, socket, nameOf(server), all);
  }

  get isOpen(): boolean {
    return !this.client.destroyed && !this.socket.destroyed && this.socket.writable;
  }

  /**
   * Never rejects. After sent, refused, and a later that the server has said, the connection is open unless the server has
   * ended it; after anything else it is closed.
   */
  async send(mail: Mail, begun: Begun): Promise<MailResult> {
    if (this.#stop) return { result: 'unsent', reason: `${this.server}: the connection is sending another mail` };
    // Of this mail alone: it must not stop the others.
    if (!ADDRESS.test(mail.to)) return { result: 'later', response: 'not sent: its address is none' };
    const course: Course = { replies: [], handedOver: false, dotHadLeft: false, why: '', ours: false };
    let answered = false;
    try {
      answered = await this.#run(mail, begun, course);
    } catch (error) {
      course.why ||= error instanceof Error ? error.name : 'an error';
    }
    const result = resultOf(course);
    if (!answered || 'reason' in result || !isAnswer(course)) this.#drop();
    else if (!course.handedOver) await this.#reset();
    this.#stop = undefined;
    this.#course = undefined;
    return 'reason' in result
      ? { ...result, reason: `${this.server}: ${withoutAddress(result.reason, mail.to)}` }
      : result;
  }

  /** Says QUIT where nothing is under way, and is gone in `tidyMs`, whatever the server does. */
  close(): void {
    if (this.isOpen && !this.#stop) {
      this.client.quit();
      setTimeout(() => this.#drop(), this.limits.tidyMs).unref();
      return;
    }
    // A mail that we cut off before its end was not sent, and that costs it nothing.
    if (this.#course && !this.#body?.handedOver) this.#course.ours = true;
    this.#body?.destroy();
    this.#drop();
  }

  /** Sends, and returns whether the client has seen it through: only then does it know what the next reply belongs to. */
  async #run({ from, to, bytes }: Mail, begun: Begun, course: Course): Promise<boolean> {
    if (!this.isOpen) {
      course.why = 'the connection was lost';
      return false;
    }
    if (begun.elapsedMs > this.limits.handOverMs) {
      course.ours = true;
      course.why = this.#stoodStill();
      return false;
    }
    const timers: NodeJS.Timeout[] = [];
    const body = new LazyBody(bytes, this.socket, () => this.#mayGoOn(begun, course));
    this.#course = course;
    this.#body = body;
    const answered = await new Promise<boolean>((over) => {
      this.#stop = (why) => {
        course.why ||= why;
        over(false);
      };
      const after = (ms: number, act: () => void) => timers.push(setTimeout(act, Math.max(0, ms - begun.elapsedMs)));
      after(this.limits.handOverMs, () => this.#lateForTheFirstByte(begun, course));
      after(this.limits.sendMs, () => this.#stop?.(`no answer within ${this.limits.sendMs / 1_000} s`));
      this.client.send({ from, to: [to], use8BitMime: !isAscii(bytes) }, body, (error) => {
        if (error) course.why ||= `the connection was lost (${error.originalCode ?? error.code})`;
        over(true);
      });
    });
    // First of all: from here on it gives nothing any more.
    body.destroy();
    course.handedOver = body.handedOver;
    for (const timer of timers) clearTimeout(timer);
    return answered;
  }

  #hear(piece: Buffer): void {
    for (const reply of this.#replies.take(piece)) {
      if (this.#course?.replies.push(reply) !== 4) continue;
      this.#course.dotHadLeft = this.#body?.handedOver === true && this.socket.writableLength === 0;
    }
  }

  /** Asked before each piece of the body and before its end. */
  #mayGoOn(begun: Begun, { replies }: Course): boolean {
    const first = !this.#body?.begun;
    if (!wantsBody(replies) || this.#replies.isWithin) this.#stop?.('the server is out of step');
    else if (first && begun.elapsedMs > this.limits.handOverMs) this.#lateForTheFirstByte(begun, this.#course);
    else if (begun.elapsedMs > this.limits.sendMs) this.#stop?.(`not done within ${this.limits.sendMs / 1_000} s`);
    else return true;
    return false;
  }

  /**
   * The mail is not sent any more. Where we ourselves stood still, it is nobody's fault; where the server did not say in time
   * that it wants the body, it is an answer that did not come.
   */
  #lateForTheFirstByte(begun: Begun, course: Course | undefined): void {
    if (!course || this.#body?.begun) return;
    const { handOverMs } = this.limits;
    course.ours = course.replies.length === 3 || begun.elapsedMs > handOverMs + FROZEN_MS;
    this.#stop?.(course.ours ? this.#stoodStill() : `no answer in ${handOverMs / 1_000} s`);
  }

  #stoodStill(): string {
    return `this process stood still for over ${this.limits.handOverMs / 1_000} s`;
  }

  /** Ends a transaction that was refused before its body, so that the next one can begin. */
  #reset(): Promise<void> {
    return new Promise((done) => {
      const giveUp = (): void => {
        this.#drop();
        done();
      };
      const timer = setTimeout(giveUp, this.limits.tidyMs);
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        this.client.off('end', settle);
        if (error) this.#drop();
        done();
      };
      this.client.once('end', settle);
      if (this.isOpen) this.client.reset(settle);
      else settle();
    });
  }

  #drop(): void {
    this.#stop?.('the connection was closed');
    this.client.close();
    this.socket.destroy();
  }
}

/** Whether the last word was the server's: then both sides know where they are. */
function isAnswer({ replies, handedOver }: Course): boolean {
  const [mail, rcpt, data, end] = replies.map(({ code }) => Math.floor((code ?? 0) / 100));
  const refusal = (kind: number | undefined) => kind === 4 || kind === 5;
  if (handedOver) return replies.length === 4 && (end === 2 || refusal(end));
  return mail === 2 && (refusal(rcpt) || (rcpt === 2 && refusal(data)));
}

/** Texts that are logged do not name the debtor, and a server may. */
function withoutAddress(text: string, to: string): string {
  const local = to.slice(0, to.lastIndexOf('@'));
  const parts = [to, local].filter((part) => part.length > 2).map((part) => part.replace(/[^a-z0-9]/gi, '\\$&'));
  return parts.length === 0 ? text : text.replace(new RegExp(parts.join('|'), 'gi'), '<address>');
}
