import { announce, announced } from '../announced.js';
import { commandLine } from '../process.js';

/** An emulator that runs, and the queue of events on it. */
export interface RunningSqs {
  /** As in SQS_ENDPOINT. */
  endpoint: string;
  /** As in EVENTS_SQS_QUEUE. */
  queue: string;
  region: string;
}

const KIND = 'sqs';

/** Notes where this process has the emulator, until it ends. */
export function announceSqs(running: RunningSqs, root = process.cwd()): void {
  announce(KIND, JSON.stringify(running), root);
}

/** The newest emulator of this clone's living processes: of `npm start`, `npm run api` or `npm run sqs`. */
export async function runningSqs(root = process.cwd(), isOurs = keepsEmulator): Promise<RunningSqs | undefined> {
  const [newest] = announced(KIND, root, isOurs);
  return newest === undefined ? undefined : (JSON.parse(newest) as RunningSqs);
}

/** Whether a process of that number is one of ours that may have it, and not another program that has the number now. */
function keepsEmulator(pid: number): boolean {
  return /run\.mjs|serverless/.test(commandLine(pid));
}
