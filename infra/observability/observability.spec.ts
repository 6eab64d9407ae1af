import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { LANGUAGE_NAMES, LANGUAGES, type LanguageName } from '@disparo/contract/languages';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { someBiller, someDebt, store } from '../../functions/test/billing/fixtures.js';
import { freePort } from '../../services/ports.js';
import { ApiStage } from '../../testing/api-stage.js';

const FOLDER = 'infra/observability';
const OPERATING = 'docs/operating.md';
/** Labels that Prometheus itself adds, or that belong to its histograms. */
const EVERYWHERE = ['job', 'instance', 'le'];
const BUILT = LANGUAGE_NAMES.filter((language) => existsSync(LANGUAGES[language].binary));
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

interface Rule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
interface Panel {
  title: string;
  type: string;
  datasource?: { uid: string };
  targets?: { expr: string }[];
}
/** The labels of each scraped metric, by the name of its samples. */
type Exposed = Map<string, Set<string>>;

const rules = (yaml('alerts.yml') as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(text('grafana-dashboard.json')) as {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string }[] };
};
const graphs = dashboard.panels.filter(({ type }) => type !== 'row');

function text(file: string): string {
  return readFileSync(`${FOLDER}/${file}`, 'utf8');
}

function yaml(file: string): unknown {
  return load(text(file));
}

describe('what rules, panels and documents name is what is scraped', () => {
  let stage: ApiStage;
  let exposed: Exposed;

  beforeAll(async () => {
    // Nobody listens there: what is said of a mail server is said from the first try on.
    stage = await ApiStage.open({ env: { SMTP_URL: 'smtp://127.0.0.1:9', SMTP_FROM: 'cobranca@disparo.example' } });
    await store(stage, await someBiller(stage), [someDebt()]);
    await stage.api('GET', '/api/health');
    const scrape = async () => (await stage.api<string>('GET', '/metrics')).body;
    // A scrape leaves out what takes too long, queues that nobody has declared yet, and a mail server that nobody asked yet.
    const isWhole = (body: string) =>
      ['disparo_events_queue_ready_messages', 'disparo_billing_smtp_up'].every((name) => body.includes(`\n${name}{`));
    await stage.until(async () => isWhole(await scrape()), 'the queue of events and the mail server are scraped');
    const scrapes = [await scrape()];
    for (const language of BUILT) scrapes.push(await scrapeOf(stage, language));
    exposed = samplesOf(scrapes.join('\n'));
  });

  afterAll(() => stage?.close());

  test.each([
    ...rules.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
    ...graphs.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => [`panel ${title}`, expr] as const)),
  ])('%s: %s', (_, expr) => {
    const { metrics, labels } = namesIn(expr);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter((name) => name !== 'up' && !exposed.has(name))).toEqual([]);
    const known = new Set([...EVERYWHERE, ...metrics.flatMap((name) => [...(exposed.get(name) ?? [])])]);
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  test(`${OPERATING} has a line for each metric of ours, and for no other`, () => {
    const written = [...readFileSync(OPERATING, 'utf8').matchAll(/^\| `(disparo_\w+)/gm)].map(([, name]) => name);
    const real = [...exposed.keys()].filter((name) => name.startsWith('disparo_') && !/_(bucket|count)$/.test(name));
    expect(written.toSorted()).toEqual(real.map((name) => name.replace(/_sum$/, '')).toSorted());
  });
});

test('Prometheus scrapes what is there, and reads the rules next to it', () => {
  const { rule_files, scrape_configs } = yaml('prometheus.yml') as {
    rule_files: string[];
    scrape_configs: { job_name: string; metrics_path: string }[];
  };
  expect(rule_files.filter((file) => !existsSync(`${FOLDER}/${file}`))).toEqual([]);
  expect(scrape_configs.map(({ job_name, metrics_path }) => [job_name, metrics_path])).toEqual([
    ['disparo-api', '/metrics'],
    ['disparo-consumer', '/metrics'],
    ['disparo-processor', '/metrics'],
  ]);
});

test.each(rules.map((rule) => [rule.alert, rule] as const))('%s gives its reason and a first step', (_, rule) => {
  expect(rule.labels.severity).toMatch(/^(page|ticket)$/);
  expect(rule.annotations).toEqual({
    summary: expect.stringMatching(/\w/),
    reason: expect.stringMatching(/\.$/),
    first_step: expect.stringMatching(/\w/),
    runbook: expect.stringMatching(/^docs\/operating\.md#/),
  });
  expect(anchors()).toContain(rule.annotations.runbook?.split('#')[1]);
});

test('each panel takes its data from the source that the user chooses', () => {
  expect(dashboard.uid).toBe('disparo');
  expect(dashboard.templating.list).toMatchObject([{ name: 'datasource', type: 'datasource', query: 'prometheus' }]);
  expect(new Set(graphs.map(({ datasource }) => datasource?.uid))).toEqual(new Set(['$' + '{datasource}']));
});

test.skipIf(!hasPromtool).each([
  ['check', 'config', 'prometheus.yml'],
  ['check', 'rules', 'alerts.yml'],
  ['test', 'rules', 'alerts.test.yml'],
])('promtool %s %s %s', (...args) => {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: FOLDER, encoding: 'utf8' });
  expect(status, stdout + stderr).toBe(0);
});

/** The metrics of a consumer that has dead-lettered a message. */
async function scrapeOf(stage: ApiStage, language: LanguageName): Promise<string> {
  const port = await freePort();
  const consumer = stage.stores.consumer({ METRICS_PORT: String(port) }, language);
  const scrape = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    return answer?.text() ?? '';
  };
  try {
    await stage.stores.publishRaw(Buffer.from('no chunk'));
    const name = 'disparo_consumer_dead_letters_total{';
    await stage.until(async () => (await scrape()).includes(name), `the ${language} consumer counts a dead letter`);
    return await scrape();
  } finally {
    await consumer.kill();
  }
}

/** Parses the text format: `name{label="value"} 1`. */
function samplesOf(scrape: string): Exposed {
  const exposed: Exposed = new Map();
  for (const [, name = '', labels = ''] of scrape.matchAll(/^([a-z_:][\w:]*)(?:\{(.*)\})? /gim)) {
    const known = exposed.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    exposed.set(name, known);
  }
  return exposed;
}

/** The metrics and labels of a PromQL expression. It is no full parser, but enough for our expressions. */
function namesIn(expr: string): { metrics: string[]; labels: string[] } {
  const bare = expr.replace(/"[^"]*"/g, '""');
  const matchers = [...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => inner.match(/\w+(?=\s*[=!])/g) ?? []);
  const grouped = [...bare.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(
    ([, inner = '']) => inner.match(/\w+/g) ?? [],
  );
  const rest = bare
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ')
    .replace(/\b[a-z_]\w*\s*\(/gi, '(');
  const metrics = (rest.match(/\b[a-z_]\w*/gi) ?? []).filter((word) => !['and', 'or', 'unless', 'by'].includes(word));
  return { metrics, labels: [...matchers, ...grouped] };
}

/** The anchors of the headings, as GitHub makes them. */
function anchors(): string[] {
  const headings = readFileSync(OPERATING, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
