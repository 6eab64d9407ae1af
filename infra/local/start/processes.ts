import { readEnvironment } from '@disparo/contract';
import type { LanguageName } from '@disparo/contract/languages';
import { consumerProgram, metricsPorts } from '../consumers.js';
import { baseUrl, invokeDispatch, offlineProgram, untilHealthy } from '../supervise/offline.js';
import type { Program } from '../supervise/supervisor.js';
import type { Colour } from '../supervise/terminal.js';

/** What `npm start` keeps running until Ctrl-C. */
interface LongRunning {
  program: Program;
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
    await invokeDispatch(ports.lambda);
  };
  const consumers = languages.map((language) => ({
    program: { ...consumerProgram(language), env },
    colour: COLOURS[language],
    metrics: true,
  }));
  return [{ program: offlineProgram(ports, env), colour: 'cyan', ready }, ...consumers];
}

/**
 * The same processes, where each one that listens on METRICS_PORT has its own port. `told` is a line that says which, where
 * there are several. `taken` is as for metricsPorts. Throws ConfigurationError and CommandError.
 */
export async function withMetricsPorts(
  processes: readonly LongRunning[],
  taken: readonly number[],
  environment = readEnvironment(),
): Promise<{ processes: LongRunning[]; told?: string }> {
  const listening = processes.filter(({ metrics }) => metrics);
  const ports = await metricsPorts(listening.length, taken, environment);
  if (ports.length === 0) return { processes: [...processes] };
  const told = listening.map(({ program }, at) => `${ports[at]} for ${program.name}`).join(', ');
  const placed = processes.map((each) => {
    const port = ports[listening.indexOf(each)];
    return port === undefined ? each : { ...each, program: withEnv(each.program, { METRICS_PORT: String(port) }) };
  });
  return { processes: placed, ...(ports.length > 1 && { told: `METRICS_PORT: ${told}` }) };
}

function withEnv(program: Program, env: Record<string, string>): Program {
  return { ...program, env: { ...program.env, ...env } };
}
