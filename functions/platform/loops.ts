import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Log } from './telemetry/log.js';

/** Work that a module does all the time and that is woken by events, where a duty comes at intervals. */
interface Loop {
  name: string;
  /** Runs until `stop` aborts, and ends soon after. A store that is away must not end it. */
  run(stop: AbortSignal): Promise<void>;
}

const AGAIN_MS = 1_000;

/** The loops of all modules, which add them when they are built. Only the plain server runs them. */
@Injectable()
export class Loops {
  readonly #loops: Loop[] = [];

  constructor(private readonly log: Log) {}

  /** Called by a module when it is built. */
  add(loop: Loop): void {
    this.#loops.push(loop);
  }

  /** Runs all until told to stop. Resolves when none runs any more. A loop that fails has a bug, and is begun again. */
  async run(stop: AbortSignal): Promise<void> {
    await Promise.all(
      this.#loops.map(async ({ name, run }) => {
        while (!stop.aborted) {
          try {
            await run(stop);
            if (!stop.aborted) throw new Error('it ended before it was told to');
          } catch (error) {
            this.log.error({ loop: name, err: error }, 'a bug: a loop failed; it begins again');
            await pause(AGAIN_MS, undefined, { signal: stop }).catch(() => undefined);
          }
        }
      }),
    );
  }
}
