import newman, { type NewmanRunSummary } from 'newman';
import { type Answers, shown } from './answers.js';
import { COLLECTION_FILE, ENVIRONMENT_FILE } from './files.js';

const REQUEST_TIMEOUT_MS = 60_000;

/** One request of a run and its answer. */
export interface Asked {
  name: string;
  method: string;
  path: string;
  status: number;
  body: string;
}

/** The result of a run. */
export interface Run {
  asked: Asked[];
  /** One line for each failure. */
  failures: string[];
  /** The last answer to each request, as it may be shown. */
  answers: Answers;
}

/** Runs the whole collection once against the API at `baseUrl`, from the root of the repository. */
export async function runCollection(baseUrl: string, { show }: { show: boolean }): Promise<Run> {
  const summary = await new Promise<NewmanRunSummary>((resolve, reject) => {
    newman.run(
      {
        collection: COLLECTION_FILE,
        environment: ENVIRONMENT_FILE,
        envVar: [{ key: 'base_url', value: baseUrl }],
        workingDir: process.cwd(),
        timeoutRequest: REQUEST_TIMEOUT_MS,
        reporters: show ? ['cli'] : [],
      },
      (error, done) => (error ? reject(error) : resolve(done)),
    );
  });
  const asked: Asked[] = [];
  const answers: Answers = {};
  for (const { item, request, response } of summary.run.executions) {
    if (!response) continue;
    const body = response.text() ?? '';
    const headers = response.headers.map(({ key, value }): [string, string] => [key, value]);
    asked.push({ name: item.name, method: request.method, path: request.url.getPath(), status: response.code, body });
    answers[item.name] = shown(response.code, response.status, headers, body);
  }
  const failures = summary.run.failures.map(
    ({ source, error }) => `${(source as { name?: string } | undefined)?.name}: ${error.test ?? ''} ${error.message}`,
  );
  return { asked, failures, answers };
}
