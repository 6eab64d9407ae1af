import { expect, test } from 'vitest';
import { processesOf, withMetricsPorts } from './processes.js';

const PORTS = { host: '127.0.0.1', api: 1, lambda: 2 };

test('the API comes first, then a consumer of each language and the processor of events', () => {
  const processes = processesOf(['go', 'typescript'], PORTS, { A: 'b' });
  expect(processes.map(({ options, colour }) => [options.name, colour, options.env.A])).toEqual([
    ['api', 'cyan', 'b'],
    ['consumer-go', 'blueBright', 'b'],
    ['consumer-typescript', 'magenta', 'b'],
    ['processor', 'green', 'b'],
  ]);
});

test('what listens on METRICS_PORT has a port of its own, and is told', async () => {
  const given = processesOf(['go', 'typescript'], PORTS, { METRICS_PORT: '65000' });
  const { processes, portsLine } = await withMetricsPorts(given, [65_001], { METRICS_PORT: '65000' });
  const ports = processes.map(({ options }) => options.env.METRICS_PORT);
  expect(ports).toEqual(['65000', '65000', expect.any(String), expect.any(String)]);
  expect(portsLine).toMatch(
    /^METRICS_PORT: 65000 for consumer-go, 650\d\d for consumer-typescript, 650\d\d for processor$/,
  );
  expect(new Set(ports).size).toBe(3);
  expect(ports).not.toContain('65001');
});

test('a process that listens alone has the port that is set, and no line about it', async () => {
  const alone = processesOf([], PORTS, {});
  const { processes, portsLine } = await withMetricsPorts(alone, [], { METRICS_PORT: '65000' });
  expect([processes.map(({ options }) => options.env.METRICS_PORT), portsLine]).toEqual([
    [undefined, '65000'],
    undefined,
  ]);
});
