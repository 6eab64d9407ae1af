import { freePort } from '../../services/ports.js';
import type { ApiStage } from '../../testing/api-stage.js';
import { Process, ROOT } from '../../testing/process.js';

const SERVERLESS = 'node_modules/serverless/bin/serverless.js';
/** serverless offline loads the whole framework first, on a machine that runs another test file too. */
const PATIENCE_MS = 120_000;

/** The functions of a stage under serverless offline, on ports of their own. */
export class Offline {
  private constructor(
    private readonly stage: ApiStage,
    private readonly process: Process,
    /** Where the stage's API was before. */
    private readonly before: string,
  ) {}

  /** Waits until health is 200. From then until close(), `stage.url` is the URL of these functions. */
  static async open(stage: ApiStage, env: NodeJS.ProcessEnv = {}): Promise<Offline> {
    const [http, lambda] = [await freePort(), await freePort()];
    const ports = { API_PORT: String(http), LAMBDA_PORT: String(lambda) };
    const processEnv = { ...process.env, ...stage.env, ...ports, ...env };
    const command = [process.execPath, SERVERLESS, 'offline', 'start'] as const;
    const started = stage.stores.with(new Process('serverless offline', command, { env: processEnv, cwd: ROOT }));
    const offline = new Offline(stage, started, stage.url);
    stage.url = `http://127.0.0.1:${http}`;
    const isUp = async () => (await stage.api('GET', '/api/health').catch(() => undefined))?.status === 200;
    await stage.until(isUp, 'it answers', PATIENCE_MS);
    return offline;
  }

  /** Each line that serverless offline wrote. */
  get output(): readonly string[] {
    return this.process.output;
  }

  async close(): Promise<void> {
    await this.process.stop();
    this.stage.url = this.before;
  }
}
