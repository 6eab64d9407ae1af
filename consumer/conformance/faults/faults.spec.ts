import { describe, it } from 'vitest';
import { languageUnderTest } from '../../../testing/process.js';
import { Scope } from '../runner/cases.js';
import { Run } from './run.js';
import { long, SHORT } from './schedule.js';
import { System } from './system.js';

/** Set by `npm run faults`. Without it the run has the short form of `npm test`. */
const FULL = process.env.FAULTS === 'full';
const FORM = FULL ? long(Number(process.env.FAULTS_MINUTES ?? 3)) : SHORT;
const SEED = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
/** Time for services to start and stop, all restarts included. */
const SLOW_MACHINE_MS = 240_000;
const TIMEOUT_MS = FORM.parts.reduce(
  (sum, { rounds, roundMs }) => sum + rounds * roundMs + FORM.settleMs,
  SLOW_MACHINE_MS,
);

const language = languageUnderTest();
const repeat = FULL ? 'npm run faults --' : 'npm run conformance --';
const REPLAY = `FAULTS_SEED=${SEED} ${repeat} ${language}${FULL ? ` --minutes ${process.env.FAULTS_MINUTES ?? 3}` : ' faults/'}`;

describe('a random schedule of faults', { timeout: TIMEOUT_MS }, () => {
  it(`leaves every number sent once, in order, with the ${language} consumer`, async ({ skip, onTestFinished }) => {
    process.stdout.write(`${REPLAY} repeats the schedule\n`);
    const scope = new Scope(skip);
    // Also when the run hangs and ends in neither way below.
    onTestFinished(() => scope.close().catch(() => {}));
    const system = await System.open(scope, language, FORM.slots);
    const run = new Run(system, SEED, FORM);
    try {
      await run.toItsEnd();
    } catch (error) {
      const state = await run.state().catch((away: unknown) => `the state cannot be read: ${String(away)}`);
      if (error instanceof Error) error.message += `\n\n${state}\nOutput: ${system.folder}\nRepeat: ${REPLAY}`;
      throw error;
    }
    await scope.close();
    system.removeFolder();
  });
});
