import { buildConsumers } from '../infra/local/consumers.js';
import { requireBuildTools } from '../infra/local/suites.js';
import { withServices } from '../infra/local/supervise/session.js';
import { say } from '../infra/local/supervise/terminal.js';
import { parsePlan } from './plan.js';
import { rowsOf } from './report/rows.js';
import { tableOf } from './report/table.js';
import { writeResults } from './report/write.js';
import { Bench } from './run.js';

/**
 * `npm run bench [-- --quick|--full] [--only=...] [--languages=...] [--at-most=n]`: how fast it is, in ratios of one run on
 * one machine. Prints one table, writes it and every raw time under bench/results/. A goal that is missed is no failure:
 * returns 0. What the figures mean: bench/README.md.
 */
export default async function bench(args: string[]): Promise<number> {
  const plan = parsePlan(args);
  requireBuildTools(plan.consumers, (language) => `npm run bench -- --languages=${language}`);
  return withServices(say, { wait: true }, async (session) => {
    await buildConsumers(session, plan.consumers);
    const measuring = new Bench(session.services.urls, plan, say);
    const running = measuring.run();
    try {
      const results = await session.supervisor.during(running);
      say(`\n${tableOf(rowsOf(results))}\n`);
      for (const file of writeResults(results, plan)) say(`Written: ${file}`);
      return 0;
    } finally {
      // Told to stop: the measurement fails and closes its stage. Only then may the services stop.
      await measuring.stop();
      await running.catch(() => {});
    }
  });
}
