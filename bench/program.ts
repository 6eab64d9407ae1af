import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findRoot } from '@disparo/contract';
import { LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { eachLine } from '../infra/local/supervise/log-line.js';

const ROOT = findRoot(dirname(fileURLToPath(import.meta.url))) ?? '.';
const STOP_MS = 25_000;
const SAID_MS = 60_000;
const POLL_MS = 1;
const IDLE_FOR_MS = 300;
/** The consumer in TypeScript makes 250,000 identifiers before it rests: seconds, minutes where much else runs. */
const IDLE_WITHIN_MS = 300_000;
/** Linux counts a process's CPU time in hundredths of a second, whatever its clock (USER_HZ). */
const TICKS_PER_S = 100;
const KEPT_ERRORS = 20;

const living = new Set<Program>();

/** Ends every program of this process at once: what measures them then fails and closes what it has open. */
export function killPrograms(): void {
  for (const program of living) program.kill();
}

/** What a process has cost since its start; undefined where the system does not say (macOS). */
export interface Cost {
  cpuS: number;
  rssMb: number;
  /** The most since its start, or since `resetPeak`. */
  peakMb: number;
}

/** A JSON line of a program, and when it was read, by `performance.now()`. */
interface Said {
  line: Record<string, unknown> & { msg?: unknown };
  at: number;
}

/** A real process under measurement, in a folder without any configuration file: what it says and what it costs. */
export class Program {
  readonly #child: ChildProcess;
  readonly #said: Said[] = [];
  readonly #other: string[] = [];
  #ended: string | undefined;

  private constructor(
    readonly name: string,
    [command, ...args]: readonly [string, ...string[]],
    env: Record<string, string>,
  ) {
    const { PATH = '' } = process.env;
    this.#child = spawn(command, args, { env: { PATH, ...env }, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream) eachLine(stream, (line) => this.#take(line));
    living.add(this);
    this.#child.on('error', (error) => this.#end(error.message));
    this.#child.on('exit', (code, signal) => this.#end(signal ? `by ${signal}` : `with code ${code}`));
  }

  /** A consumer, as built. */
  static consumer(language: LanguageName, env: Record<string, string>): Program {
    const [command, ...args] = LANGUAGES[language].command;
    const program = command === 'node' ? process.execPath : atRoot(command);
    return new Program(`consumer-${language}`, [program, ...args.map(atRoot)], env);
  }

  /** A script of `dist/`, such as `functions/server.js`, and its arguments. */
  static script(path: string, env: Record<string, string>, args: readonly string[] = []): Program {
    return new Program(path, [process.execPath, atRoot(`dist/${path}`), ...args], env);
  }

  /** Waits until it says so; answers the line and when it was read. Throws with its last words when it ends before. */
  async untilSaid(msg: string, withinMs = SAID_MS): Promise<Said> {
    for (const deadline = performance.now() + withinMs; ; await delay(POLL_MS)) {
      const found = this.#said.find(({ line }) => line.msg === msg);
      if (found) return found;
      this.throwIfEnded();
      if (performance.now() > deadline) throw new Error(`${this.name} does not say "${msg}": ${this.#lastWords()}`);
    }
  }

  /** Throws with its last words when it is gone, which none is expected to be. */
  throwIfEnded(): void {
    if (this.#ended !== undefined) throw new Error(`${this.name} ended ${this.#ended}: ${this.#lastWords()}`);
  }

  /** The sum of a field over the lines with this message. */
  sum(msg: string, field: string): number {
    return this.#said.reduce((sum, { line }) => (line.msg === msg ? sum + Number(line[field] ?? 0) : sum), 0);
  }

  /** How many lines have this message. */
  count(msg: string): number {
    return this.#said.filter(({ line }) => line.msg === msg).length;
  }

  cost(): Cost | undefined {
    return costOf(this.#child.pid);
  }

  /** Waits until it uses no CPU time for a while. False where the system does not say what it uses. */
  async untilIdle(): Promise<boolean> {
    const deadline = performance.now() + IDLE_WITHIN_MS;
    for (let used = this.cost()?.cpuS; used !== undefined; ) {
      await delay(IDLE_FOR_MS);
      this.throwIfEnded();
      const now = this.cost()?.cpuS;
      if (now === used) return true;
      if (performance.now() > deadline) throw new Error(`${this.name} finds no rest`);
      used = now;
    }
    return false;
  }

  /** Has it stand still (SIGSTOP) while `work` is done; answers when it went on, by `performance.now()`. */
  async whileStanding(work: () => Promise<unknown>): Promise<number> {
    this.#child.kill('SIGSTOP');
    try {
      await work();
    } finally {
      this.#child.kill('SIGCONT');
    }
    return performance.now();
  }

  /** From here on `peakMb` is the most since now. Linux lets a process's owner do so: proc(5), clear_refs. */
  resetPeak(): void {
    const file = `/proc/${this.#child.pid}/clear_refs`;
    if (existsSync(file)) writeFileSync(file, '5');
  }

  /** SIGTERM, and SIGKILL when it does not end. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #end(how: string): void {
    this.#ended = how;
    living.delete(this);
  }

  #take(text: string): void {
    const at = performance.now();
    try {
      this.#said.push({ line: JSON.parse(text), at });
    } catch {
      this.#other.push(text);
    }
  }

  #lastWords(): string {
    const lines = [...this.#said.map(({ line }) => JSON.stringify(line)), ...this.#other];
    return lines.slice(-KEPT_ERRORS).join('\n');
  }
}

function atRoot(path: string): string {
  return join(ROOT, path);
}

/** What a process and the children that it has buried have cost. */
export function costOf(pid: number | undefined): Cost | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    // The name, in parentheses, may hold blanks; utime, stime and those of the buried are fields 14 to 17.
    const times = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15);
    const megabytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1_000;
    return {
      cpuS: times.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_S,
      rssMb: megabytes('VmRSS'),
      peakMb: megabytes('VmHWM'),
    };
  } catch {
    return undefined;
  }
}
