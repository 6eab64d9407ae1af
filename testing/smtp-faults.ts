import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { untilTrue } from './until.js';

/** Where a server speaks: its first words, a command, the dot. */
export type SmtpStep = 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'dot';

/** How a server misbehaves with one mail. Without a fault it says 250 after the dot. */
export type SmtpFault =
  /** The mail is taken, and `text` is said so long after the dot, or once `until` is done. */
  | { kind: 'ok'; afterMs?: number; until?: Promise<unknown>; text?: string }
  /** This is said at a step, code and all, lines with CR and LF between them; a 2xx at the dot takes the mail. */
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

/**
 * An SMTP server on loopback, made of a bare socket, so that each fault is exact to the byte. It keeps what it has taken. It has
 * no TLS and no login, and pipelining only if it is told to offer it.
 */
export class FaultySmtp {
  /** In the order in which they were taken. */
  readonly delivered: DeliveredMail[] = [];
  /** That were opened, ever. */
  connections = 0;
  /** Mails whose dot has come, taken or not. */
  dots = 0;
  /** Every line that came outside of a body. */
  readonly commands: string[] = [];
  /** Said to EHLO besides the name. */
  extensions: string[] = ['8BITMIME'];
  /** Called with the bytes of a body that have come so far, at each piece of it. */
  onBody: ((bytes: number, mail: SmtpMail) => void) | undefined;
  /** May be changed at any time. */
  script: SmtpScript = () => undefined;
  readonly #open = new Set<Session>();
  readonly #server = createServer((socket) => this.#take(socket));
  #mails = 0;
  #held = false;

  /** Listens on a free port, unless one is given: to come back where an earlier one was closed. */
  static async listen(script?: SmtpScript, port = 0): Promise<FaultySmtp> {
    const smtp = new FaultySmtp();
    if (script) smtp.script = script;
    smtp.#server.listen(port, '127.0.0.1');
    await once(smtp.#server, 'listening');
    return smtp;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#open.size;
  }

  /** The bodies that are under way, by their mail. */
  get inBody(): (SmtpMail & { bytes: number })[] {
    return [...this.#open].flatMap((session) => session.body ?? []);
  }

  /** From now on no byte of any body is read, so that a client can be ended in the middle of one. */
  hold(): void {
    this.#held = true;
    for (const session of this.#open) session.pauseInBody();
  }

  /** Reads on, everywhere. */
  release(): void {
    this.#held = false;
    for (const session of this.#open) session.resume();
  }

  /** How often each Message-ID was taken. */
  get times(): Map<string, number> {
    const times = new Map<string, number>();
    for (const { messageId } of this.delivered) times.set(messageId, (times.get(messageId) ?? 0) + 1);
    return times;
  }

  async untilDelivered(wanted: number, withinMs?: number): Promise<DeliveredMail[]> {
    const came = () => `${wanted} mails at ${this.url}: ${this.delivered.length} were taken`;
    await untilTrue(() => this.delivered.length >= wanted, came, withinMs === undefined ? {} : { withinMs });
    return this.delivered;
  }

  /** Resets every connection. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#open) session.reset();
    await closed;
  }

  #take(socket: Socket): void {
    const number = ++this.connections;
    const session = new Session(socket, {
      number,
      nextMail: () => ++this.#mails,
      isHeld: () => this.#held,
      fault: (mail, step) => this.script(mail, step),
      command: (line) => this.commands.push(line),
      body: (bytes, mail) => this.onBody?.(bytes, mail),
      dot: () => this.dots++,
      deliver: (mail) => this.delivered.push(mail),
      extensions: () => this.extensions,
    });
    this.#open.add(session);
    socket.once('close', () => this.#open.delete(session));
    session.begin();
  }
}

/** What a session needs of its server. */
interface Host {
  number: number;
  nextMail(): number;
  isHeld(): boolean;
  fault(mail: SmtpMail, step: SmtpStep): SmtpFault | undefined;
  command(line: string): void;
  body(bytes: number, mail: SmtpMail): void;
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
};

/** One connection. */
class Session {
  #buffer = Buffer.alloc(0);
  #mail: SmtpMail;
  /** Bytes of the body as they come, behind a CRLF: an empty mail is its dot alone. Undefined: commands come. */
  #body: Buffer[] | undefined;
  #bodyBytes = 0;
  #recipientIsGood = false;

  constructor(
    private readonly socket: Socket,
    private readonly host: Host,
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
      this.#recipientIsGood = this.#answer('rcpt');
    } else if (verb === 'DATA') {
      if (!this.#recipientIsGood) this.#say('503 5.5.1 no recipient');
      else if (this.#answer('data')) this.#beginBody();
    } else if (verb === 'QUIT') {
      this.#say('221 2.0.0 bye');
      this.socket.end();
    } else this.#say('250 2.0.0 ok');
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
    this.host.body(this.#bodyBytes, this.#mail);
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
    const isTaken = takes(fault);
    if (isTaken) this.host.deliver({ messageId, recipient: this.#mail.recipient, bytes });
    if (fault?.kind === 'ok') void this.#sayLater(fault);
    else this.#answer('dot');
  }

  async #sayLater({ afterMs, until, text }: Extract<SmtpFault, { kind: 'ok' }>): Promise<void> {
    if (until) await until;
    const say = () => this.#say(text ?? OK.dot);
    if (afterMs === undefined) say();
    else setTimeout(say, afterMs).unref();
  }

  /** Says what belongs to a step, or does its fault. True: it is a yes, and things go on. */
  #answer(step: SmtpStep): boolean {
    const fault = this.host.fault(this.#mail, step);
    const isHere = fault !== undefined && 'at' in fault && fault.at === step;
    if (isHere && fault.kind === 'drops') this.reset();
    else if (isHere && fault.kind === 'says') {
      this.#say(fault.text);
      if (fault.thenDrops) this.socket.end();
      return /^[23]/.test(fault.text);
    } else if (!isHere) {
      const early = step === 'data' && fault?.kind === 'saysInBody' && fault.afterBytes === 0;
      this.#say([...this.#words(step), ...(early ? [fault.text] : [])].join('\r\n'));
      return true;
    }
    return false;
  }

  #words(step: SmtpStep): string[] {
    if (step !== 'ehlo') return [OK[step]];
    const lines = ['faulty', ...this.host.extensions()];
    return lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}`);
  }

  #say(text: string): void {
    if (this.socket.writable)
      this.socket.write(text.endsWith('\n') || text.endsWith('\0') ? text.replace(/\0$/, '') : `${text}\r\n`);
  }
}

/** Whether the server answers for a mail whose dot has come. */
function takes(fault: SmtpFault | undefined): boolean {
  if (fault?.kind === 'says' && fault.at === 'dot') return fault.text.startsWith('2');
  if ((fault?.kind === 'drops' || fault?.kind === 'silent') && fault.at === 'dot') return fault.delivered === true;
  return true;
}
