import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { findMongod } from '../../../infra/local/services/mongod-binary.js';
import { freePort } from './consumer-process.js';
import { until } from './until.js';

/** A mongod that a test may stop, kill and start again: the same binary as the one of `npm run services`. */
export class PrivateMongod {
  #child: ChildProcess | undefined;

  private constructor(
    private readonly binary: string,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<PrivateMongod> {
    const binary = await findMongod(() => {});
    const mongod = new PrivateMongod(binary, mkdtempSync(join(tmpdir(), 'disparo-mongod-')), await freePort());
    await mongod.start();
    return mongod;
  }

  get url(): string {
    return `mongodb://127.0.0.1:${this.port}/disparo`;
  }

  /** Starts it on the same data and waits until it answers. */
  async start(): Promise<void> {
    const args = ['--dbpath', this.folder, '--port', String(this.port), '--bind_ip', '127.0.0.1', '--nounixsocket'];
    this.#child = spawn(this.binary, args, { stdio: 'ignore' });
    await until(async () => {
      const client = new MongoClient(this.url, { serverSelectionTimeoutMS: 100 });
      try {
        await client.db('admin').command({ ping: 1 });
      } finally {
        await client.close();
      }
    });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  /** As a power cut does it to the process. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** As an operator does it. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
