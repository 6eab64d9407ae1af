import { Injectable } from '@nestjs/common';
import { Log } from './telemetry/log.js';

/** What rooms have to do now and then: they add it when they are built, and the dispatcher does all of it once a pass. */
@Injectable()
export class Chores {
  readonly #chores: { name: string; work: () => Promise<void> }[] = [];

  constructor(private readonly log: Log) {}

  /** `work` may be under way in several processes at once, and comes again after a failure. `name` is for the log. */
  add(name: string, work: () => Promise<void>): void {
    this.#chores.push({ name, work });
  }

  /** One after the other. One that fails is logged and keeps none of the others. */
  async doAll(): Promise<void> {
    for (const { name, work } of this.#chores)
      await work().catch((error: unknown) =>
        this.log.error({ err: error }, `${name} failed; the next pass tries again`),
      );
  }
}
