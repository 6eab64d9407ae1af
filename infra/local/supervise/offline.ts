import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT, integerKey, readEnvironment } from '@disparo/contract';
import { type Config, loadConfig } from '../../../functions/platform/config.js';
import { NOWHERE } from '../../../services/bring-up.js';
import { CommandError } from '../../../services/command-error.js';
import { freePort, isFree } from '../../../services/ports.js';
import type { ChildOptions } from './supervisor.js';

const STAGE = 'local';
const HEALTHY_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 15_000;
const RETRY_MS = 200;

/** The functions under `serverless offline start`. Two at once on one machine need different lambdaPorts. */
export function offlineProcess(
  ports: { host: string; api: number; lambda: number },
  env: NodeJS.ProcessEnv,
): ChildOptions {
  const manifest = createRequire(import.meta.url).resolve('serverless/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  const listen = ['--host', ports.host, '--httpPort', String(ports.api), '--lambdaPort', String(ports.lambda)];
  const args = [
    join(dirname(manifest), bin.serverless ?? ''),
    'offline',
    'start',
    '--stage',
    STAGE,
    '--noSponsor',
    ...listen,
  ];
  const processEnv: NodeJS.ProcessEnv = {
    ...env,
    SLS_TELEMETRY_DISABLED: '1',
    SLS_NOTIFICATIONS_MODE: 'off',
    // The command includes the AWS SDK, which would print a warning about Node 20.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
  // Empty means unset. But serverless.yml takes its default only for an absent key, and these names cannot be empty.
  for (const name of ['UPLOAD_BUCKET', 'EVENTS_SQS_QUEUE']) if (!processEnv[name]) delete processEnv[name];
  return { name: 'api', args, env: processEnv };
}

/**
 * Reads every key of the functions, before anything is started: under serverless offline each call would fail anew at a wrong
 * one, and nothing would end. Throws ConfigurationError.
 */
export function checkedConfig(): Config {
  const environment = readEnvironment();
  for (const name of ['S3_PORT', 'SQS_PORT']) if (environment[name] !== undefined) integerKey(environment, name);
  return loadConfig({ ...NOWHERE, ...environment });
}

/** The configured address of the API; for port 0 any free port. Throws ConfigurationError, and CommandError if in use. */
export async function apiAddress(): Promise<{ host: string; port: number }> {
  const { apiHost: host, apiPort: port } = checkedConfig();
  if (port === 0) return { host, port: await freePort() };
  if (await isFree(port, host)) return { host, port };
  throw new CommandError(
    `API_PORT: port ${port} of ${host} is already in use; stop what listens there or give another`,
  );
}

/** The URL of a server that listens on `host`. */
export function baseUrl(host: string, port: number): string {
  const address = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/**
 * Asks for the API's health until all its stores are up, or the one that is needed. The first request also loads the handler.
 * Throws CommandError.
 */
export async function untilHealthy(base: string, needed: 'status' | 'postgres' = 'status'): Promise<void> {
  let last = 'no answer';
  for (const deadline = Date.now() + HEALTHY_TIMEOUT_MS; Date.now() < deadline; await delay(RETRY_MS)) {
    try {
      const response = await fetch(`${base}/api/health`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      last = `${response.status} ${await response.text()}`;
      if (last.includes(`"${needed}":"up"`)) return;
    } catch (error) {
      last = String((error as { cause?: { code?: string } }).cause?.code ?? error);
    }
  }
  throw new CommandError(`The API is not healthy after ${HEALTHY_TIMEOUT_MS / 1000} s: ${last}`, EXIT.bug);
}

/** Calls a function of the schedule once, which by itself first runs at the next full minute. Throws CommandError. */
export async function invokeFunction(lambdaPort: number, name: string): Promise<void> {
  const url = `http://127.0.0.1:${lambdaPort}/2015-03-31/functions/disparo-${STAGE}-${name}/invocations`;
  const response = await fetch(url, { method: 'POST', body: '{}' });
  // When the handler throws, the answer is 200 with this word in the body.
  const body = await response.text();
  if (!response.ok || body.includes('errorMessage'))
    throw new CommandError(`The ${name} function failed: ${body.slice(0, 300)}`, EXIT.bug);
}
