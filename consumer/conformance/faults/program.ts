import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Ending, endingOf } from '../../../testing/process.js';

const ROOT = new URL('../../../', import.meta.url);

/** The API or a dispatcher, as a process in a folder without any configuration file. Its output is appended to a file. */
export class Program {
  readonly #child: ChildProcess;
  #killed = false;
  readonly ended: Promise<Ending>;

  /** `script`: a path from the root of the clone. */
  constructor(script: string, env: Record<string, string>, outputFile: string) {
    const output = openSync(outputFile, 'a');
    const args = [fileURLToPath(new URL(script, ROOT))];
    this.#child = spawn(process.execPath, args, { env, cwd: tmpdir(), stdio: ['ignore', output, output] });
    closeSync(output);
    this.ended = once(this.#child, 'exit').then(() => endingOf(this.#child, this.#killed));
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Answers how it ended: by itself, when it had done so before. */
  kill(): Promise<Ending> {
    if (this.#child.kill('SIGKILL')) this.#killed = true;
    return this.ended;
  }
}
