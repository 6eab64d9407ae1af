import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT } from '@disparo/contract';
import { watchCaller } from './caller.js';
import { eachLine } from './log-line.js';
import { interactive } from './terminal.js';

/** A child has so long to finish what it is at; the consumers' own grace time is shorter. */
const GRACE_MS = 40_000;
/** npm hands on the signal that the terminal has already given to the whole group: both are one Ctrl-C. */
const SAME_SIGNAL_MS = 1_000;
const SENTINEL_MS = 300;
const PARENT_POLL_MS = 250;
/** What a dead child wrote last still comes through the pipe, unless something it left behind holds it open. */
const LAST_LINES_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

/** Asked to stop: by a signal, or because whoever started this command is gone. */
export class Interrupted extends Error {
  constructor(
    message: string,
    /** The command's, when its children have ended well: no failure for what runs until it is stopped. */
    readonly exitCode: number = EXIT.drained,
  ) {
    super(message);
  }
}

/** A child ended by itself, which none is expected to do. */
export class ChildDied extends Error {
  constructor(
    child: string,
    readonly exitCode: number,
    how: string,
  ) {
    super(`${child} ended ${how}`);
  }
}

/** What to start: `node`, unless it says another command, in this folder or another one. */
export interface Program {
  name: string;
  command?: string;
  cwd?: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Takes each line of its output; without it the child's output goes to our own streams as it is. */
  line?: (line: string) => void;
}

interface Child {
  name: string;
  process: ChildProcess;
  /** Its exit code, when it has ended and its last lines are read. */
  ended: Promise<number>;
}

/**
 * Keeps the children of one command. They stay in the terminal's process group, so that what kills the group kills them.
 * A signal to the group reaches them without us, and a second one would make a consumer drop what it is finishing: so each
 * child is told once. Whether a signal went to the whole group is read off the sentinel, a `cat` that such a signal ends.
 */
export class Supervisor {
  readonly #children: Child[] = [];
  readonly #sentinel = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
  readonly #interrupted: Promise<never>;
  #signalled: number | undefined;

  constructor() {
    this.#sentinel.on('error', () => {});
    this.#interrupted = new Promise((_, reject) => {
      for (const signal of SIGNALS) process.on(signal, () => this.#onSignal(reject));
      const isOrphan = watchCaller();
      const check = () => isOrphan() && reject(new Interrupted('the process that started this is gone'));
      setInterval(check, PARENT_POLL_MS).unref();
      // As in `npm start | head`.
      process.stdout.on('error', () => reject(new Interrupted('nobody reads the output any more')));
    });
    this.#interrupted.catch(() => {});
  }

  /** Starts a child. */
  start({ name, command = process.execPath, cwd, args, env, line }: Program): Child {
    const child = spawn(command, args, {
      env,
      cwd,
      // Where nobody looks on, its output goes through us: most programs do not bear a reader that leaves, as `head` does.
      stdio: ['ignore', line || !interactive ? 'pipe' : 'inherit', line ? 'pipe' : 'inherit'],
    });
    if (line) for (const stream of [child.stdout, child.stderr]) if (stream) eachLine(stream, line);
    if (!line) child.stdout?.on('data', (data) => process.stdout.write(data));
    const closed = once(child, 'close');
    const ended = once(child, 'exit').then(async ([code, signal]) => {
      await Promise.race([closed, delay(LAST_LINES_MS)]);
      return code ?? codeOf(signal);
    });
    const kept = { name, process: child, ended };
    this.#children.push(kept);
    return kept;
  }

  /** Waits for `work`, but no longer than until a stop is asked for (Interrupted) or a child ends (ChildDied). */
  async during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#interrupted, ...this.#children.map(unexpectedEnd)]);
  }

  /** Waits for the one child that is this command; it may end by itself, and its exit code is the command's. */
  async foreground(program: Program): Promise<number> {
    const child = this.start(program);
    try {
      return await Promise.race([child.ended, this.#interrupted]);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await this.stop();
      return child.ended;
    }
  }

  /** Waits for a program that must be done before the work goes on. Answers its exit code; throws Interrupted, as a failure. */
  async toItsEnd(program: Program): Promise<number> {
    const child = this.start(program);
    try {
      const code = await Promise.race([child.ended, this.#interrupted]);
      const { signalCode } = child.process;
      // A Ctrl-C reaches it too, and may end it before we hear of it.
      if (signalCode !== null) await Promise.race([delay(SENTINEL_MS), this.#interrupted]);
      this.#children.splice(this.#children.indexOf(child), 1);
      return signalCode === null ? code : code || EXIT.bug;
    } catch (error) {
      throw error instanceof Interrupted ? new Interrupted(error.message, INTERRUPTED) : error;
    }
  }

  /** Asks every child to stop, waits, kills after the grace time. Answers the exit code that tells how it went. */
  async stop(): Promise<number> {
    const left = this.#children.filter((child) => child.process.exitCode === null && child.process.signalCode === null);
    if (left.length > 0 && !(await this.#childrenWereTold())) for (const child of left) child.process.kill('SIGTERM');
    const timer = setTimeout(() => this.#kill(), GRACE_MS);
    const codes = await Promise.all(left.map((child) => child.ended));
    clearTimeout(timer);
    this.#sentinel.kill('SIGKILL');
    return codes.find((code) => code !== EXIT.drained) ?? EXIT.drained;
  }

  async #childrenWereTold(): Promise<boolean> {
    if (this.#signalled === undefined) return false;
    if (this.#sentinel.signalCode === null) await Promise.race([once(this.#sentinel, 'exit'), delay(SENTINEL_MS)]);
    return this.#sentinel.signalCode !== null;
  }

  #onSignal(interrupt: (reason: Interrupted) => void): void {
    const now = Date.now();
    this.#signalled ??= now;
    interrupt(new Interrupted('asked to stop'));
    if (now - this.#signalled < SAME_SIGNAL_MS) return;
    this.#kill();
    process.exit(INTERRUPTED);
  }

  #kill(): void {
    for (const child of this.#children) child.process.kill('SIGKILL');
  }
}

/** A child that ends by the signal that asks it to, before it has set up a handler, has nothing to finish. */
function codeOf(signal: NodeJS.Signals): number {
  if (signal === 'SIGKILL') return EXIT.forced;
  return SIGNALS.some((asked) => asked === signal) ? EXIT.drained : EXIT.bug;
}

async function unexpectedEnd(child: Child): Promise<never> {
  const code = await child.ended;
  const { signalCode } = child.process;
  throw new ChildDied(
    child.name,
    code === EXIT.drained ? EXIT.bug : code,
    signalCode ? `by ${signalCode}` : `with code ${code}`,
  );
}
