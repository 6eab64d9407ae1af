import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT } from '@disparo/contract';
import { watchCaller } from './caller.js';
import { eachLine } from './log-line.js';
import { interactive } from './terminal.js';

/** How long a child may take to finish its work. The consumers' own grace time is shorter. */
const GRACE_MS = 40_000;
/** npm passes on the signal that the terminal has already sent to the whole group: the two are one Ctrl-C. */
const SAME_SIGNAL_MS = 1_000;
const SENTINEL_MS = 300;
const PARENT_POLL_MS = 250;
/** How long the last lines of a dead child may take. A process that it left behind may hold the pipe open for ever. */
const LAST_LINES_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

/** The command was asked to stop: by a signal, or because its caller or the reader of its output is gone. */
export class Interrupted extends Error {
  constructor(
    message: string,
    /** The command's exit code when its children have ended well. A command that runs until it is stopped has not failed. */
    readonly exitCode: number = EXIT.drained,
  ) {
    super(message);
  }
}

/** A child ended by itself, which no child should do. */
export class ChildDied extends Error {
  constructor(
    child: string,
    readonly exitCode: number,
    how: string,
  ) {
    super(`${child} ended ${how}`);
  }
}

/** A process to start. The default `command` is `node`, the default `cwd` is the current folder. */
export interface ChildOptions {
  name: string;
  command?: string;
  cwd?: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Called with each line of its output. Without it the output goes to our own streams unchanged. */
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
 * A signal to the group reaches them without us. A second one would make a consumer drop what it is finishing, so each child
 * must get only one. The sentinel, a `cat`, shows whether a signal went to the whole group: it then ends.
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
      // The reader has left, as in `npm start | head`.
      process.stdout.on('error', () => reject(new Interrupted('nobody reads the output any more')));
    });
    this.#interrupted.catch(() => {});
  }

  /** Starts a child. */
  start({ name, command = process.execPath, cwd, args, env, line }: ChildOptions): Child {
    const child = spawn(command, args, {
      env,
      cwd,
      // Not on a terminal, its output goes through us: most programs fail when their reader leaves, as `head` does.
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

  /** Runs the one program of a command. It may end by itself, and its exit code is the command's. */
  async foreground(options: ChildOptions): Promise<number> {
    const child = this.start(options);
    try {
      return await Promise.race([child.ended, this.#interrupted]);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await this.stop();
      return child.ended;
    }
  }

  /** Runs a program that must end before the work goes on. Returns its exit code; throws Interrupted, as a failure. */
  async toItsEnd(options: ChildOptions): Promise<number> {
    const child = this.start(options);
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

  /** Asks every child to stop, and kills after the grace time. Returns the first exit code but `drained`, else that. */
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

/** The exit code for a child that a signal ended. If our stop signal ended it, before it had a handler, it is clean. */
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
