import { readEnvironment } from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import { consumerProcess, metricsPorts } from '../consumers.js';
import { PROCESSOR } from '../processor.js';
import { baseUrl, invokeFunction, offlineProcess, untilHealthy } from '../supervise/offline.js';
import type { ChildOptions } from '../supervise/supervisor.js';
import type { Colour } from '../supervise/terminal.js';

/** What `npm start` keeps running until Ctrl-C. */
interface LongRunning {
  options: ChildOptions;
  /** The colour of its name in front of each of its lines. */
  colour: Colour;
  /** It listens on METRICS_PORT, where that is set. */
  metrics?: boolean;
  /** Resolves when it works. `npm start` says "Ready" only after that. */
  ready?: () => Promise<void>;
}

const COLOURS: Record<LanguageName, Colour> = { typescript: 'magenta', rust: 'yellow', go: 'blueBright' };

/** All processes, in the order of their start. A further one is one line here. */
export function processesOf(
  languages: readonly LanguageName[],
  ports: { host: string; api: number; lambda: number },
  env: NodeJS.ProcessEnv,
): LongRunning[] {
  const ready = async () => {
    await untilHealthy(baseUrl(ports.host, ports.api));
    await invokeFunction(ports.lambda, 'dispatch');
  };
  const consumers = languages.map((language) => ({
    options: { ...consumerProcess(language), env },
    colour: COLOURS[language],
    metrics: true,
  }));
  return [
    { options: offlineProcess(ports, env), colour: 'cyan', ready },
    ...consumers,
    // A function cannot take from RabbitMQ.
    { options: { ...PROCESSOR, env }, colour: 'green', metrics: true },
  ];
}

/**
 * The same processes, where each one that listens on METRICS_PORT has its own port. `portsLine` is a line that names them,
 * when there are several. `taken` is as for metricsPorts. Throws ConfigurationError and CommandError.
 */
export async function withMetricsPorts(
  processes: readonly LongRunning[],
  taken: readonly number[],
  environment = readEnvironment(),
): Promise<{ processes: LongRunning[]; portsLine?: string }> {
  const listening = processes.filter(({ metrics }) => metrics);
  const ports = await metricsPorts(listening.length, taken, environment);
  if (ports.length === 0) return { processes: [...processes] };
  const named = listening.map(({ options }, at) => `${ports[at]} for ${options.name}`).join(', ');
  const placed = processes.map((each) => {
    const port = ports[listening.indexOf(each)];
    return port === undefined ? each : { ...each, options: withEnv(each.options, { METRICS_PORT: String(port) }) };
  });
  return { processes: placed, ...(ports.length > 1 && { portsLine: `METRICS_PORT: ${named}` }) };
}

function withEnv(options: ChildOptions, env: Record<string, string>): ChildOptions {
  return { ...options, env: { ...options.env, ...env } };
}
