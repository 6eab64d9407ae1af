import { Bench } from '../../bench/bench.js';
import { parsePlan } from '../../bench/plan.js';
import { killPrograms } from '../../bench/program.js';
import { rowsOf } from '../../bench/report/rows.js';
import { tableOf } from '../../bench/report/table.js';
import { writeResults } from '../../bench/report/write.js';
import { buildConsumers } from './consumers.js';
import { requireBuildTools } from './suites.js';
import { withServices } from './supervise/session.js';
import { say } from './supervise/terminal.js';

/**
 * `npm run bench [-- --quick|--full] [--only=...] [--languages=...] [--at-most=n]`: how fast it is, in ratios of one run on
 * one machine. Prints one table, writes it and every raw time under bench/results/. A goal that is missed is no failure:
 * answers 0. What the figures mean: bench/README.md.
 */
export default async function bench(args: string[]): Promise<number> {
  const plan = parsePlan(args);
  requireBuildTools(plan.languages, (language) => `npm run bench -- --languages=${language}`);
  return withServices(say, { wait: true }, async (session) => {
    await buildConsumers(session, plan.languages);
    const running = new Bench(session.services.urls, plan, say).run();
    try {
      const results = await session.supervisor.during(running);
      say(`\n${tableOf(rowsOf(results))}\n`);
      for (const file of writeResults(results, plan)) say(`Written: ${file}`);
      return 0;
    } finally {
      // Told to stop: what is being measured fails, closes its room, and only then the services may go.
      killPrograms();
      await running.catch(() => {});
    }
  });
}
