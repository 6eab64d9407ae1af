import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '@disparo/contract';
import { LANGUAGE_NAMES, type LanguageName } from '@disparo/contract/languages';
import { CLUSTER_CASES, type ClusterResult } from '../../consumer/conformance/faults/cluster/names.js';
import { CommandError } from '../../services/command-error.js';
import { runSteps } from './steps.js';
import { buildOf, conformanceOf, requireBuildTools } from './suites.js';
import { Interrupted, Supervisor } from './supervise/supervisor.js';
import { say } from './supervise/terminal.js';

const LANGUAGES = `[${LANGUAGE_NAMES.join('|')}|all]`;
const USAGE = `usage: npm run faults -- ${LANGUAGES} [--minutes n], or npm run faults -- cluster ${LANGUAGES} [--case ${Object.keys(CLUSTER_CASES).join('|')}]`;
const DEFAULT_MINUTES = 3;

/** The spec that is run for each language, and its environment. */
interface Plan {
  languages: LanguageName[];
  spec: string;
  env: Record<string, string>;
}

/**
 * `npm run faults [-- typescript|rust|go|all] [--minutes n]`: campaigns of 50,000 under random faults, on each consumer in
 * turn, with services of the run's own. FAULTS_SEED repeats a schedule. `npm run faults -- cluster`: clusters of each
 * service lose a part in the middle of a drain, and a table says how long that took. Returns the first exit code that is
 * not 0.
 */
export default async function faults(args: string[]): Promise<number> {
  const clustered = args[0] === 'cluster';
  const { languages, spec, env } = clustered ? parseCluster(args.slice(1)) : parseRandom(args);
  requireBuildTools(languages, (language) => `npm run faults -- ${clustered ? 'cluster ' : ''}${language}`);
  const supervisor = new Supervisor();
  const folder = mkdtempSync(join(tmpdir(), 'disparo-cluster-'));
  const results = join(folder, 'results.jsonl');
  const given = { ...process.env, ...env, ...(clustered && { CLUSTER_RESULTS: results }) };
  try {
    const built = await runSteps(supervisor, given, languages.flatMap(buildOf));
    if (built !== 0) return built;
    const codes: number[] = [];
    for (const language of languages) codes.push(await runSteps(supervisor, given, [conformanceOf(language, [spec])]));
    const failed = codes.find((code) => code !== 0);
    if (!clustered) return failed ?? 0;
    // A case that was skipped because a binary is not available does not count as exact.
    const cases = env.CLUSTER_CASE ? 1 : Object.keys(CLUSTER_CASES).length;
    const exact = printTable(results);
    return failed ?? (exact === cases * languages.length ? 0 : EXIT.bug);
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  } finally {
    await supervisor.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseRandom(args: string[]): Plan {
  const { value = String(DEFAULT_MINUTES), others } = option(args, '--minutes');
  const minutes = Number(value);
  if (!Number.isInteger(minutes) || minutes < 1) throw new CommandError(USAGE);
  return {
    languages: languagesOf(others),
    spec: 'faults/faults.spec',
    env: { FAULTS: 'full', FAULTS_MINUTES: String(minutes) },
  };
}

function parseCluster(args: string[]): Plan {
  const { value, others } = option(args, '--case');
  if (value !== undefined && !Object.hasOwn(CLUSTER_CASES, value)) throw new CommandError(USAGE);
  return {
    languages: languagesOf(others),
    spec: 'faults/cluster/cluster.spec',
    env: value === undefined ? {} : { CLUSTER_CASE: value },
  };
}

/** The value behind an option (empty where nothing follows it, undefined without the option), and the other arguments. */
function option(args: string[], name: string): { value: string | undefined; others: string[] } {
  const at = args.indexOf(name);
  return at < 0 ? { value: undefined, others: args } : { value: args[at + 1] ?? '', others: args.toSpliced(at, 2) };
}

function languagesOf([which = 'all', ...others]: string[]): LanguageName[] {
  const languages = LANGUAGE_NAMES.filter((name) => which === 'all' || which === name);
  if (languages.length === 0 || others.length > 0) throw new CommandError(USAGE);
  return languages;
}

/** Prints the result of each case. Returns how many were exact. */
function printTable(file: string): number {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  say(`\n${'case'.padEnd(64)} ${'language'.padEnd(10)} s until enviado  exact`);
  const results = lines.map((line) => JSON.parse(line) as ClusterResult);
  for (const { name, language, seconds, exact } of results) {
    const time = exact ? seconds.toFixed(1) : '-';
    say(`${CLUSTER_CASES[name].padEnd(64)} ${language.padEnd(10)} ${time.padStart(15)}  ${exact ? 'yes' : 'no'}`);
  }
  return results.filter(({ exact }) => exact).length;
}
