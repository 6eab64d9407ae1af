import { vi } from 'vitest';
import { ApiStage } from '../../testing/api-stage.js';
import { TcpProxy } from '../../testing/proxy.js';
import { migrate } from '../platform/stores/migrate.js';

/** What a handler returns to the gateway. */
export interface FunctionAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

type Handler = (event: object, context: object) => Promise<FunctionAnswer>;

const POSTGRES_PORT = 5432;

/** The handler of a function in the process of the test, on a stage of its own, with PostgreSQL behind a proxy. */
export class OwnFunction {
  /** What PostgreSQL has sent to the function, one character a byte. A test may begin anew. */
  heard = '';

  private constructor(
    readonly stage: ApiStage,
    readonly proxy: TcpProxy,
    readonly handler: Handler,
    /** Of the handler's file. */
    readonly url: string,
  ) {}

  /** @param name Of a file that tsc made in `dist/functions/`: see api.e2e.spec.ts. */
  static async open(name: string): Promise<OwnFunction> {
    const stage = await ApiStage.open({ start: false });
    await migrate(stage.env.DATABASE_URL);
    let own: OwnFunction | undefined;
    const proxy = await TcpProxy.openTo(stage.env.DATABASE_URL, POSTGRES_PORT, (bytes) => {
      if (own) own.heard += bytes.toString('latin1');
    });
    for (const [key, value] of Object.entries({ ...stage.env, DATABASE_URL: proxy.url, LOG_LEVEL: 'silent' }))
      vi.stubEnv(key, value);
    const url = new URL(`../../dist/functions/${name}.js`, import.meta.url).href;
    const { handler } = (await import(/* @vite-ignore */ url)) as { handler: Handler };
    own = new OwnFunction(stage, proxy, handler, url);
    return own;
  }

  /** The second parameter of the handler, where it has `timeMs` milliseconds left. */
  context(timeMs: number): object {
    const end = performance.now() + timeMs;
    return {
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => Math.max(Math.floor(end - performance.now()), 0),
    };
  }

  async close(): Promise<void> {
    vi.unstubAllEnvs();
    await this.stage.close();
    await this.proxy.close();
  }
}
