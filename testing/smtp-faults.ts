import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type DeliveredMail, type SmtpMail, type SmtpScript, SmtpSession } from './smtp-session.js';
import { untilTrue } from './until.js';

export type { DeliveredMail, SmtpFault, SmtpMail, SmtpScript, SmtpStep } from './smtp-session.js';

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
  readonly #open = new Set<SmtpSession>();
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

  /** Waits until so many bodies are under way. */
  async untilInBody(wanted: number): Promise<void> {
    const are = () => `${wanted} bodies under way at ${this.url}: ${this.inBody.length} are`;
    await untilTrue(() => this.inBody.length >= wanted, are);
  }

  /** Waits until the server has taken so many mails, and returns all that it has. */
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
    const session = new SmtpSession(socket, {
      number,
      nextMail: () => ++this.#mails,
      isHeld: () => this.#held,
      fault: (mail, step) => this.script(mail, step),
      command: (line) => this.commands.push(line),
      hearBody: (bytes, mail) => this.onBody?.(bytes, mail),
      dot: () => this.dots++,
      deliver: (mail) => this.delivered.push(mail),
      extensions: () => this.extensions,
    });
    this.#open.add(session);
    socket.once('close', () => this.#open.delete(session));
    session.begin();
  }
}
