import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { PATIENCE_MS, until } from './until.js';

const ROOT = new URL('../', import.meta.url);

/** A log line of the consumer. */
export type LogLine = Record<string, unknown> & { msg: string; level: number };

/** How a process ended: by our kill, and all else by itself, with an exit code or by a signal that we did not send. */
export type Ending = 'killed by us' | `code ${number | null}` | NodeJS.Signals;

/** `killed`: whether our SIGKILL still reached it. A process of another end was dying by itself then. */
export function endingOf({ exitCode, signalCode }: ChildProcess, killed: boolean): Ending {
  if (killed && signalCode === 'SIGKILL') return 'killed by us';
  return signalCode ?? `code ${exitCode}`;
}

/** The consumer as its user has it: a process, its exit code, and what it prints. */
export class ConsumerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #killed = false;
  #output = '';
  errors = '';

  constructor(language: LanguageName, env: Record<string, string>, cwd: string) {
    const [program, ...args] = commandOf(language);
    this.#child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (data) => {
      this.#output += data;
    });
    this.#child.stderr?.on('data', (data) => {
      this.errors += data;
    });
    // `close`, not `exit`: only then everything it printed is here.
    this.#exited = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  /** Waits for its exit code, which is null when a signal ended it. Throws with what it printed when it goes on. */
  async exit(): Promise<number | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it does not end: ${this.everything}`)), PATIENCE_MS);
    });
    return Promise.race([this.#exited, late]).finally(() => clearTimeout(timer));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Answers how it ended: by itself, when it had done so before. */
  async kill(): Promise<Ending> {
    if (this.#child.kill('SIGKILL')) this.#killed = true;
    await this.#exited;
    return endingOf(this.#child, this.#killed);
  }

  /** All that it printed, on both streams. */
  get everything(): string {
    return this.#output + this.errors;
  }

  get lines(): LogLine[] {
    const whole = this.#output.slice(0, this.#output.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The lines whose message begins so. */
  said(begin: string): LogLine[] {
    return this.lines.filter(({ msg }) => msg.startsWith(begin));
  }

  /** Waits until a line begins so. */
  async untilSaid(begin: string): Promise<void> {
    await until(() => {
      if (this.said(begin).length === 0) throw new Error(`not said: ${begin}; but ${this.everything}`);
    });
  }

  /** The sum of a field over the lines of all batches. */
  sum(field: string): number {
    return this.said('batch settled').reduce((sum, line) => sum + Number(line[field]), 0);
  }
}

/** With absolute paths, as a consumer is started in a folder that is not ours; `node` is the one that runs the suite. */
function commandOf(language: LanguageName): [string, ...string[]] {
  const [program, ...args] = LANGUAGES[language].command.map((word) =>
    word === 'node' ? process.execPath : fileURLToPath(new URL(word, ROOT)),
  );
  return [program ?? '', ...args];
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
