import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { findRoot } from '@disparo/contract';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { PATIENCE_MS, untilTrue } from './until.js';

/** The root of the clone. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url))) ?? '.';

/** The language under test: the variable CONSUMER, or TypeScript. */
export function languageUnderTest(name = process.env.CONSUMER ?? 'typescript'): LanguageName {
  const found = LANGUAGE_NAMES.find((language) => language === name);
  if (!found) throw new Error(`CONSUMER: "${name}" is not one of ${LANGUAGE_NAMES.join(', ')}`);
  return found;
}

/** A JSON line of a process. */
export type LogLine = Record<string, unknown> & { msg: string; level: number };

/** A line of standard output, and when it was read, by `performance.now()`. */
interface Said {
  line: LogLine;
  at: number;
}

/** How a process ended: by our kill(), or else by itself with an exit code, or by another signal. */
export type Ending = 'killed by us' | `code ${number | null}` | NodeJS.Signals;

/** `env` is the whole environment of the process. The default `cwd` is a folder without any configuration file. */
interface ProcessOptions {
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** Its output is appended to this file, too. */
  log?: string;
  /** Called with each line of either stream. */
  hear?: (line: string) => void;
}

const GRACE_MS = 25_000;
const LAST_LINES = 20;

/** A real process, seen as its user sees it: what it prints, how it ends. */
export class Process {
  /** Each whole line that it wrote on either stream, in the order of arrival. */
  readonly output: string[] = [];
  /** All that it wrote on standard error. */
  errors = '';
  /** Its exit code; null after a signal that it did not handle. Resolves when all that it printed has been read. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #said: (Said | string)[] = [];
  readonly #news = new EventEmitter();
  #printed = '';
  #killed = false;

  constructor(
    readonly name: string,
    [program, ...args]: readonly [string, ...string[]],
    { env, cwd = tmpdir(), log, hear }: ProcessOptions,
  ) {
    this.#child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => {
      this.errors += error.message;
    });
    const take = (line: string) => {
      this.output.push(line);
      hear?.(line);
    };
    const keep = (text: string) => log && appendFileSync(log, text);
    read(this.#child.stderr, take, (text) => {
      this.errors += text;
      keep(text);
    });
    const understood = (line: string) => {
      take(line);
      this.#said.push(saidNow(line));
      this.#news.emit('line');
    };
    read(this.#child.stdout, understood, (text) => {
      this.#printed += text;
      keep(text);
    });
    // `close`, not `exit`: only then all that it printed has been read.
    this.exited = once(this.#child, 'close').then(([code]) => code as number | null);
    this.exited.then(() => this.#news.emit('line'));
  }

  /** Starts a built consumer. */
  static consumer(language: LanguageName, options: ProcessOptions): Process {
    const [program, ...args] = LANGUAGES[language].command.map((word) => (word === 'node' ? word : join(ROOT, word)));
    const command = program === 'node' ? process.execPath : (program ?? '');
    return new Process(`consumer-${language}`, [command, ...args], options);
  }

  /** Starts a script of `dist/`, such as `bundle/server.js`. Its stacks name the source. */
  static script(path: string, options: ProcessOptions, args: readonly string[] = []): Process {
    return new Process(path, [process.execPath, '--enable-source-maps', join(ROOT, 'dist', path), ...args], options);
  }

  /** The id of the process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for its exit code. Throws with what it printed when it does not end in time. */
  async exit(withinMs = PATIENCE_MS): Promise<number | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} does not end: ${this.everything}`)), withinMs);
    });
    return Promise.race([this.exited, late]).finally(() => clearTimeout(timer));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /**
   * Sends a signal to a Node process that waits, and waits until its handler has run: the kernel has no pending signal for the
   * process, and its main thread was woken and sleeps again. Another thread may take the signal, and the main one sleeps on for
   * a moment. Returns at once where the system has no /proc.
   */
  async signalAndTaken(name: NodeJS.Signals): Promise<void> {
    const file = `/proc/${this.pid}/status`;
    const status = () => {
      try {
        return readFileSync(file, 'utf8');
      } catch {
        // It has ended, perhaps between opening and reading, or this system has no /proc.
        return '';
      }
    };
    const isAsleep = (text: string) => /^State:\tS/m.test(text);
    const sleeps = (text: string) => Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(text)?.[1]);
    let before = '';
    await untilTrue(() => {
      before = status();
      return before === '' || isAsleep(before);
    }, `${this.name} waits`);
    this.signal(name);
    const isTaken = (text: string) =>
      /^ShdPnd:\t0+$/m.test(text) && /^SigPnd:\t0+$/m.test(text) && isAsleep(text) && sleeps(text) > sleeps(before);
    await untilTrue(() => status() === '' || isTaken(status()), `${name} is taken`);
  }

  /** SIGTERM, and SIGKILL when it does not end in time. Returns its exit code. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), GRACE_MS);
    return this.exited.finally(() => clearTimeout(timer));
  }

  /** Kills it and returns how it ended, which is by itself when it had ended before. */
  kill(): Promise<Ending> {
    if (this.#child.kill('SIGKILL')) this.#killed = true;
    return this.ended();
  }

  /** Waits until it has ended, and returns how. */
  async ended(): Promise<Ending> {
    await this.exited;
    const { exitCode, signalCode } = this.#child;
    // SIGKILL is how it ended: our kill has reached it. With another ending it was already dying by itself.
    if (this.#killed && signalCode === 'SIGKILL') return 'killed by us';
    return signalCode ?? `code ${exitCode}`;
  }

  /** Throws with its last lines when it has ended. For a process that must go on. */
  throwIfEnded(): void {
    if (this.alive) return;
    const how = this.#child.signalCode ? `by ${this.#child.signalCode}` : `with code ${this.#child.exitCode}`;
    throw new Error(`${this.name} ended ${how}: ${this.output.slice(-LAST_LINES).join('\n')}`);
  }

  /** All that it printed, on both streams. */
  get everything(): string {
    return this.#printed + this.errors;
  }

  /** The lines of standard output. Throws where one is not JSON. */
  get lines(): LogLine[] {
    return this.#said.map((said) => {
      if (typeof said === 'string') throw new Error(`not JSON: ${said}`);
      return said.line;
    });
  }

  /** The lines whose message begins with `begin`. */
  said(begin: string): LogLine[] {
    return this.lines.filter(({ msg }) => msg.startsWith(begin));
  }

  /** Waits for the first line that begins with `begin`. Throws with what it printed when it ends first, or too late. */
  async untilSaid(begin: string, withinMs = PATIENCE_MS): Promise<Said> {
    for (const signal = AbortSignal.timeout(withinMs); ; ) {
      const over = signal.aborted || !this.alive;
      // The last lines of a process that has ended may not be read yet.
      if (!this.alive) await this.exited;
      const found = this.#said.find((said) => typeof said === 'object' && said.line.msg?.startsWith(begin));
      if (typeof found === 'object') return found;
      if (over) throw new Error(`${this.name} has not said "${begin}", but ${this.everything}`);
      await once(this.#news, 'line', { signal }).catch(() => {});
    }
  }

  /** The sum of a field over its "batch settled" lines. */
  sum(field: string): number {
    return this.said('batch settled').reduce((sum, line) => sum + Number(line[field] ?? 0), 0);
  }
}

/** The parsed line and its time; the text itself when it is no JSON. */
function saidNow(text: string): Said | string {
  try {
    return { line: JSON.parse(text) as LogLine, at: performance.now() };
  } catch {
    return text;
  }
}

/** Passes on each piece of a stream as it arrives, then each whole line. */
function read(stream: Readable | null, line: (text: string) => void, piece: (text: string) => void): void {
  let begun = '';
  stream?.setEncoding('utf8').on('data', (text: string) => {
    piece(text);
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const whole of lines.filter(Boolean)) line(whole);
  });
}
