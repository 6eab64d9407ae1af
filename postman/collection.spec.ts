import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { TOKEN_PLACEHOLDER } from './build/answers.js';
import { allFolders, NUMBERS_FILE } from './build/collection.js';
import { type Contract, routesOf } from './build/contract.js';
import { built, COLLECTION_FILE, INSOMNIA_FILE, outOfDate, readAnswers } from './build/files.js';

/** tsc's output, as a test runner compiles decorators without their metadata. */
const DOCUMENT = pathToFileURL('dist/postman/build/document.js').href;

let contract: Contract;
let files: Record<string, string>;
const steps = allFolders().flatMap((folder) => folder.steps);

beforeAll(async () => {
  const made = (await import(/* @vite-ignore */ DOCUMENT)) as { document(): Promise<Contract> };
  contract = await made.document();
  files = built(contract);
});

test('the collection is what is built from the OpenAPI document: npm run postman -- build', () => {
  expect(outOfDate(files)).toEqual([]);
});

test('a change of the document, of a step or of an answer is noticed', () => {
  const changed = structuredClone(contract);
  for (const operation of Object.values(changed.paths['/api/users'] ?? {})) operation.summary += '!';
  expect(outOfDate(built(changed))).toEqual([COLLECTION_FILE, INSOMNIA_FILE]);
  expect(outOfDate(built(contract, {}))).toEqual([COLLECTION_FILE]);
});

/**
 * No request leads to what they need: what stands in quarantine came from a queue, and an e-mail is unknown when its connection is lost
 * at its very end.
 */
const REFUSED_ALONE = ['replayMessage', 'discardMessage', 'resolveDebtDelivery'];

test('every operation of the OpenAPI document is asked, with success', () => {
  const succeeding = (id: string) =>
    steps.some(({ ask, status }) => ask === id && (status < 400 || REFUSED_ALONE.includes(id)));
  expect([...routesOf(contract).keys()].filter((id) => !succeeding(id))).toEqual([]);
});

test('an operation that no request asks is an error', () => {
  const { get, ...others } = structuredClone(contract.paths['/api/health'] ?? {});
  if (!get) throw new Error('there is no GET /api/health');
  const more = { ...others, get, put: { ...get, operationId: 'setHealth' } };
  expect(() => built({ ...contract, paths: { ...contract.paths, '/api/health': more } })).toThrow(
    'no request asks setHealth: add one under postman/flow/',
  );
});

test('an operation that the API has no longer is an error', () => {
  const { '/api/health': _, ...paths } = contract.paths;
  expect(() => built({ ...contract, paths })).toThrow('"Health" asks getHealth, which the API has not');
});

test('requests have unique names, as a script names the next request', () => {
  const names = steps.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  const next = steps.flatMap(({ otherwise }) => otherwise?.goTo ?? []);
  expect(next.filter((name) => !names.includes(name))).toEqual([]);
});

describe('each request', () => {
  interface Item {
    name: string;
    event: { listen: string; script: { exec: string[] } }[];
    request: { url: { raw: string; variable?: { key: string; value: string }[] }; description: string; body?: object };
    response: { code: number; body: string }[];
  }
  interface Collection {
    variable: { key: string }[];
    item: { item: Item[] }[];
  }
  const collection = () => JSON.parse(files[COLLECTION_FILE] ?? '') as Collection;
  const items = () => collection().item.flatMap(({ item }) => item);

  test('has a description, tests, an answer as an example, and an address by base_url', () => {
    const lacking = items().filter(
      ({ request, event, response }) =>
        !request.description ||
        !event.some(({ listen, script }) => listen === 'test' && script.exec.join().includes('pm.test')) ||
        response.length !== 1 ||
        !/^\{\{(base_url|(debts_)?upload_url)\}\}/.test(request.url.raw) ||
        (request.url.variable ?? []).some(({ value }) => value === ''),
    );
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  test('has as its example what its tests expect', () => {
    const answers = readAnswers();
    const expected = steps.map(({ name, status, code }) => [name, status, code]);
    const kept = steps.map(({ name, code }) => {
      const { status, body = '' } = answers[name] ?? {};
      return [name, status, code && (JSON.parse(body) as { code: string }).code];
    });
    expect(kept).toEqual(expected);
    expect(Object.keys(answers).sort()).toEqual(steps.map(({ name }) => name).sort());
  });

  test('uses variables that the collection has', () => {
    const known = new Set(collection().variable.map(({ key }) => key));
    const used = [...(files[COLLECTION_FILE] ?? '').matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name ?? '');
    expect([...new Set(used)].filter((name) => !known.has(name) && !name.endsWith('_json'))).toEqual([]);
  });
});

test('no token and no signature is in the collection, and no path of a machine', () => {
  const text = files[COLLECTION_FILE] ?? '';
  expect(text).toContain(TOKEN_PLACEHOLDER);
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.|X-Amz-|"\/(home|work|Users|root|tmp)\//);
});

test('the file of the form is there, by a path from the root', () => {
  expect(files[COLLECTION_FILE]).toContain(`"src": "${NUMBERS_FILE}"`);
});
