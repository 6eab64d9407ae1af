import { rmSync } from 'node:fs';
import { SERVICES } from '../services/bring-up.js';
import { type Clone, newState, openSeparate, type State } from '../services/clone.js';
import type { ServiceName, Variable } from '../services/names.js';
import { gone, signalFamily } from '../services/process.js';
import { rabbitmqctl } from '../services/rabbitmq.js';
import type { Service } from '../services/service.js';
import { ROOT } from './process.js';
import { reaper } from './reaper.js';
import { PATIENCE_MS, untilTrue } from './until.js';

const silent = () => {};

/** A service that a test may stop, kill and start again: started as `npm run services` does, with its own data and ports. */
export class OwnService {
  private constructor(
    private readonly service: Service,
    readonly clone: Clone,
    readonly state: State,
    /** Calls off the reaper, which cleans up when this process ends before `close`. */
    private readonly callOff: () => void,
  ) {}

  /** Starts one. `prepare` may change ports, password and data before, for a member of a cluster. */
  static async start(
    name: ServiceName,
    prepare?: (clone: Clone, state: State) => void | Promise<void>,
  ): Promise<OwnService> {
    const service = SERVICES.find((one) => one.name === name) as Service;
    const [clone, state] = [openSeparate(ROOT), await newState()];
    await prepare?.(clone, state);
    const own = new OwnService(service, clone, state, reaper(name, clone, state));
    await own.start();
    return own;
  }

  /** The URL, under the variable that names it. */
  get services(): Partial<Record<Variable, string>> {
    return { [this.service.variable]: this.url };
  }

  get url(): string {
    return this.service.url(this.state.password, this.state.ports[this.service.name]);
  }

  get alive(): boolean {
    return this.service.pid(this.clone) !== undefined;
  }

  /** Starts it on the same data and waits until it answers. */
  start(): Promise<void> {
    return this.service.start(this.clone, this.state, silent);
  }

  /** Stops it as an operator does: by SIGTERM, or by the service's own command. */
  stop(): Promise<void> {
    return this.service.stop(this.clone, this.state);
  }

  /** Kills it, as a power cut would. */
  async kill(): Promise<void> {
    for (const pid of this.#signal('SIGKILL')) {
      if (!(await gone(pid, PATIENCE_MS))) throw new Error(`${this.service.title}: process ${pid} lives on`);
      // PostgreSQL takes a dead process that is not yet reaped for a living server.
      await untilTrue(() => !isThere(pid), `process ${pid} is reaped`);
    }
  }

  /** Stops it with SIGSTOP: every connection stays open, and nothing answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Runs rabbitmqctl; for RabbitMQ only. */
  control(...args: string[]): Promise<string> {
    return rabbitmqctl(this.clone, this.state, args);
  }

  async close(): Promise<void> {
    this.thaw();
    await this.stop();
    rmSync(this.clone.data, { recursive: true, force: true });
    this.callOff();
  }

  /** Signals the process and its children: PostgreSQL has one for each connection. Returns their ids. */
  #signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): number[] {
    const pid = this.service.pid(this.clone);
    return pid === undefined ? [] : signalFamily(pid, name);
  }
}

/** Whether the process exists; true for a dead one, too, until it is reaped. */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}
