import { connect, type Socket } from 'node:net';
import { type Answer, parseAnswer } from './answer.js';

/** Where requests go. `host` and `port` are connected to. */
export interface Target {
  host: string;
  port: number;
  /** Before `/api`; mostly empty. */
  path: string;
}

/** A request that got no whole answer. The message is the reason in words, by which it is counted. */
export class NoAnswer extends Error {}

/** A connection that was not opened. The message is the system's word, as ECONNREFUSED, by which it is counted. */
export class NotOpened extends Error {}

const BY_SERVER = 'closed by the server';

/** One socket that takes one request at a time, and notices when it is closed in between. */
export class Connection {
  /** Why it takes no more requests; undefined while it does. */
  closed: string | undefined;
  #bytes: Buffer[] = [];
  #asked: { resolve: (answer: Answer) => void; reject: (error: NoAnswer) => void } | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly target: Target,
  ) {
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(`closed: ${error.code ?? error.message}`));
    socket.on('end', () => this.#onEnd());
  }

  /** Connects. Throws NotOpened, after `withinMs` too. */
  static open(target: Target, withinMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: target.host, port: target.port, noDelay: true });
      const fail = (word: string) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new NotOpened(word));
      };
      const timer = setTimeout(fail, withinMs, 'ETIMEDOUT');
      const onError = (error: NodeJS.ErrnoException) => fail(error.code ?? error.message);
      socket.once('error', onError);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', onError);
        resolve(new Connection(socket, target));
      });
    });
  }

  /**
   * Sends a request and returns its whole answer. Throws NoAnswer, after `withinMs` too: the connection is closed then.
   * `accept`: the header of that name.
   */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    body: Buffer | undefined,
    withinMs: number,
    accept?: string,
  ): Promise<Answer> {
    if (this.closed) throw new NoAnswer(`${this.closed} before the request`);
    const { host, port } = this.target;
    const content = body ? `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n` : '';
    const accepts = accept ? `Accept: ${accept}\r\n` : '';
    const head = `${method} ${this.target.path}${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n${accepts}${content}\r\n`;
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#asked = { resolve, reject };
    });
    // In one piece: a head and a body of their own would be two packets.
    this.socket.write(body ? Buffer.concat([Buffer.from(head, 'latin1'), body]) : head);
    const timer = setTimeout(() => this.#end(`none within ${Math.round(withinMs / 1_000)} s`), withinMs);
    try {
      return await answered;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes it. A reset leaves no port behind in TIME_WAIT; a second run would find too few of them. */
  close(): void {
    this.#end('closed by us');
  }

  #take(bytes: Buffer): void {
    this.#bytes.push(bytes);
    if (this.#asked) this.#parse(false);
    // A server that closes a silent connection may say so: 408.
    else this.#end(`${BY_SERVER} (${bytes.toString('latin1').split('\r\n')[0]})`);
  }

  #onEnd(): void {
    this.#parse(true);
    this.#end(BY_SERVER);
  }

  #parse(ended: boolean): void {
    const asked = this.#asked;
    if (!asked) return;
    try {
      const answer = parseAnswer(Buffer.concat(this.#bytes), ended);
      if (!answer) return;
      this.#asked = undefined;
      this.#bytes = [];
      if (!answer.keepsAlive) this.#end(BY_SERVER);
      asked.resolve(answer);
    } catch (error) {
      this.#end(`not HTTP: ${(error as Error).message}`);
    }
  }

  #end(why: string): void {
    if (this.closed) return;
    this.closed = why;
    this.socket.resetAndDestroy();
    this.#asked?.reject(new NoAnswer(why));
    this.#asked = undefined;
  }
}
