import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { findRoot } from '@disparo/contract';
import type { Stage } from '../../testing/api-stage.js';

const SERVERLESS = 'node_modules/serverless/bin/serverless.js';
/** It loads the whole framework first, on a machine that runs another test file beside. */
const PATIENCE_MS = 120_000;

/** The functions of a stage under serverless offline, on ports of their own. */
export class Offline {
  private constructor(
    /** Where they listen. */
    readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  /** Waits until health is 200. From then on `stage.url` is theirs. */
  static async open(stage: Stage): Promise<Offline> {
    const [httpPort, lambdaPort] = [await freePort(), await freePort()];
    const child = spawn(process.execPath, [SERVERLESS, 'offline', 'start'], {
      cwd: findRoot(),
      env: { ...process.env, ...stage.env, API_PORT: String(httpPort), LAMBDA_PORT: String(lambdaPort) },
      stdio: 'ignore',
    });
    const offline = new Offline(`http://127.0.0.1:${httpPort}`, child);
    stage.url = offline.url;
    const isUp = async () => (await stage.api('GET', '/api/health').catch(() => undefined))?.status === 200;
    await stage.until(isUp, 'it answers', PATIENCE_MS);
    return offline;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await gone;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
