import type { Socket } from 'node:net';

/** Where a server speaks: its first words, a command, the dot. */
export type SmtpStep = 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'dot' | 'rset' | 'quit';

/** How a server misbehaves with one mail. Without a fault it says 250 after the dot. */
export type SmtpFault =
  /** All is well, but at this step, at the dot unless one is named, it is said so late: so long after, or once `until` is done. */
  | { kind: 'ok'; at?: SmtpStep; afterMs?: number; until?: Promise<unknown> }
  /** This is said at a step, code and all, lines with CR and LF between them, the last one's added unless the text ends in
   * NUL, which is not sent; a 2xx at the dot takes the mail. */
  | { kind: 'says'; at: SmtpStep; text: string; thenDrops?: boolean }
  /** The connection is reset instead of an answer. `delivered`, at the dot: the mail has been taken nevertheless. */
  | { kind: 'drops'; at: SmtpStep; delivered?: boolean }
  /** The connection is reset once so many bytes of the body have come. */
  | { kind: 'dropsInBody'; afterBytes: number }
  /** Nothing is said at a step, ever. `delivered`, at the dot: the mail has been taken nevertheless. */
  | { kind: 'silent'; at: SmtpStep; delivered?: boolean }
  /** After the 354 no byte is read, until `release`. */
  | { kind: 'stallsAfter354' }
  /** This is said in the middle of the body, once so many bytes have come, and it is read on. With 0: in one piece with the 354. */
  | { kind: 'saysInBody'; afterBytes: number; text: string };

/** A mail that a server has begun to hear of. */
export interface SmtpMail {
  /** By the order of MAIL FROM, from 1. */
  number: number;
  recipient: string;
}

/** A mail that the server has taken: it answers for it from then on, whether its 250 arrives or not. */
export interface DeliveredMail {
  messageId: string;
  recipient: string;
  /** Dots as they were before they were doubled. */
  bytes: Buffer;
}

/** Which fault a mail meets; of steps before MAIL FROM, `number` is that of the connection and `recipient` is ''. */
export type SmtpScript = (mail: SmtpMail, step: SmtpStep) => SmtpFault | undefined;

/** What a session needs of its server. */
export interface SmtpHost {
  number: number;
  nextMail(): number;
  isHeld(): boolean;
  fault(mail: SmtpMail, step: SmtpStep): SmtpFault | undefined;
  command(line: string): void;
  hearBody(bytes: number, mail: SmtpMail): void;
  dot(): void;
  deliver(mail: DeliveredMail): void;
  extensions(): string[];
}

const END = Buffer.from('\r\n.\r\n');
const OK: Record<SmtpStep, string> = {
  greeting: '220 faulty',
  ehlo: '250 faulty',
  mail: '250 2.1.0 ok',
  rcpt: '250 2.1.5 ok',
  data: '354 go ahead',
  dot: '250 2.0.0 queued',
  rset: '250 2.0.0 ok',
  quit: '221 2.0.0 bye',
};

/** One connection. */
export class SmtpSession {
  #buffer = Buffer.alloc(0);
  #mail: SmtpMail;
  /** Bytes of the body as they come, behind a CRLF: an empty mail is its dot alone. Undefined: commands come. */
  #body: Buffer[] | undefined;
  #bodyBytes = 0;
  #recipientIsGood = false;

  constructor(
    private readonly socket: Socket,
    private readonly host: SmtpHost,
  ) {
    this.#mail = { number: host.number, recipient: '' };
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => this.#hear(piece));
  }

  begin(): void {
    this.#answer('greeting');
  }

  get body(): (SmtpMail & { bytes: number }) | undefined {
    return this.#body && { ...this.#mail, bytes: this.#bodyBytes };
  }

  pauseInBody(): void {
    if (this.#body) this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #hear(piece: Buffer): void {
    if (this.#body) this.#hearBody(piece);
    else this.#hearCommands(piece);
  }

  #hearCommands(piece: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, piece]);
    for (;;) {
      const end = this.#buffer.indexOf('\n');
      if (end < 0 || this.socket.destroyed) return;
      const line = this.#buffer.toString('latin1', 0, end).replace(/\r$/, '');
      this.#buffer = this.#buffer.subarray(end + 1);
      this.host.command(line);
      this.#command(line);
      if (!this.#body) continue;
      const rest = this.#buffer;
      this.#buffer = Buffer.alloc(0);
      if (rest.length > 0) this.#hearBody(rest);
      return;
    }
  }

  #command(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO' || verb === 'HELO') this.#answer('ehlo');
    else if (verb === 'MAIL') {
      this.#mail = { number: this.host.nextMail(), recipient: '' };
      this.#recipientIsGood = false;
      this.#answer('mail');
    } else if (verb === 'RCPT') {
      this.#mail = { ...this.#mail, recipient: /<(.*)>/.exec(line)?.[1] ?? '' };
      this.#answer('rcpt');
    } else if (verb === 'DATA') {
      if (!this.#recipientIsGood) this.#say('503 5.5.1 no recipient');
      else this.#answer('data');
    } else this.#answer(verb === 'QUIT' ? 'quit' : 'rset');
  }

  #beginBody(): void {
    this.#body = [Buffer.from('\r\n')];
    this.#bodyBytes = 0;
    const fault = this.host.fault(this.#mail, 'dot');
    if (fault?.kind === 'stallsAfter354' || this.host.isHeld()) this.socket.pause();
  }

  #hearBody(piece: Buffer): void {
    const body = this.#body ?? [];
    const before = this.#bodyBytes;
    body.push(piece);
    this.#bodyBytes += piece.length;
    this.host.hearBody(this.#bodyBytes, this.#mail);
    const fault = this.host.fault(this.#mail, 'dot');
    if (fault && 'afterBytes' in fault && before < fault.afterBytes && this.#bodyBytes >= fault.afterBytes) {
      if (fault.kind === 'saysInBody') this.#say(fault.text);
      else {
        this.reset();
        return;
      }
    }
    // The end may be cut anywhere, so the last pieces are looked at together.
    const tail = Buffer.concat(body.slice(-END.length - 1));
    if (!tail.includes(END)) return;
    const all = Buffer.concat(body);
    const end = all.indexOf(END);
    this.#body = undefined;
    this.host.dot();
    const rest = all.subarray(end + END.length);
    this.#endMail(all.subarray(2, end + 2), fault);
    if (rest.length > 0) this.#hearCommands(rest);
  }

  #endMail(raw: Buffer, fault: SmtpFault | undefined): void {
    const bytes = Buffer.from(raw.toString('latin1').replace(/(^|\n)\./g, '$1'), 'latin1');
    const messageId = /^message-id:\s*(\S+)/im.exec(bytes.toString('latin1'))?.[1] ?? '';
    if (takes(fault)) this.host.deliver({ messageId, recipient: this.#mail.recipient, bytes });
    this.#answer('dot');
  }

  async #later({ afterMs, until }: Extract<SmtpFault, { kind: 'ok' }>, act: () => void): Promise<void> {
    await until;
    if (afterMs === undefined) act();
    else setTimeout(act, afterMs).unref();
  }

  /** Says what belongs to a step, or does its fault. */
  #answer(step: SmtpStep): void {
    const fault = this.host.fault(this.#mail, step);
    const at = fault?.kind === 'ok' ? (fault.at ?? 'dot') : fault && 'at' in fault ? fault.at : undefined;
    if (fault === undefined || at !== step) this.#agree(step, fault);
    else if (fault.kind === 'drops') this.reset();
    else if (fault.kind === 'ok') void this.#later(fault, () => this.#agree(step, fault));
    else if (fault.kind === 'says') {
      this.#say(fault.text);
      if (fault.thenDrops) this.socket.end();
      else if (/^[23]/.test(fault.text)) this.#goOn(step);
    }
  }

  #agree(step: SmtpStep, fault: SmtpFault | undefined): void {
    const early = step === 'data' && fault?.kind === 'saysInBody' && fault.afterBytes === 0;
    this.#say([...this.#words(step), ...(early ? [fault.text] : [])].join('\r\n'));
    this.#goOn(step);
  }

  /** What a yes of the server at a step allows. */
  #goOn(step: SmtpStep): void {
    if (step === 'rcpt') this.#recipientIsGood = true;
    if (step === 'data') this.#beginBody();
    if (step === 'quit') this.socket.end();
  }

  #words(step: SmtpStep): string[] {
    if (step !== 'ehlo') return [OK[step]];
    const lines = ['faulty', ...this.host.extensions()];
    return lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}`);
  }

  #say(text: string): void {
    if (this.socket.writable) this.socket.write(text.endsWith('\0') ? text.slice(0, -1) : `${text}\r\n`);
  }
}

/** Whether the server answers for a mail whose dot has come. */
function takes(fault: SmtpFault | undefined): boolean {
  if (fault?.kind === 'says' && fault.at === 'dot') return fault.text.startsWith('2');
  if ((fault?.kind === 'drops' || fault?.kind === 'silent') && fault.at === 'dot') return fault.delivered === true;
  return true;
}
