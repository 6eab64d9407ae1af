import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { allFolders } from './build/collection.js';
import { COLLECTION_FILE, INSOMNIA_FILE } from './build/files.js';
import { insomniaOf, type PostmanCollection } from './build/insomnia.js';
import { insomniaScript } from './build/insomnia-scripts.js';

interface Resource {
  _id: string;
  _type: string;
  parentId: string | null;
  name: string;
  metaSortKey: number;
  data: Record<string, string>;
  method: string;
  url: string;
  headers: { name: string; value: string }[];
  parameters: { name: string; value: string; disabled: boolean }[];
  pathParameters: { name: string; value: string }[];
  authentication: { type: string; token?: string };
  body: { mimeType?: string; text?: string };
  preRequestScript: string;
  afterResponseScript: string;
}

// That both files are up to date is checked in collection.spec.ts.
const text = readFileSync(INSOMNIA_FILE, 'utf8');
const collection = JSON.parse(readFileSync(COLLECTION_FILE, 'utf8')) as PostmanCollection;
const resources = (JSON.parse(text) as { resources: Resource[] }).resources;
const ofType = (type: string) => resources.filter(({ _type }) => _type === type);
const requests = ofType('request');

/** Compiles a script as Insomnia does: the body of an async function. Throws where it is no JavaScript. */
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (...args: string[]) => unknown;

test('it is an export of format 4: a workspace with an environment, folders, requests', () => {
  const { resources: _, ...head } = JSON.parse(text) as object & { resources: unknown };
  expect(head).toEqual({
    _type: 'export',
    __export_format: 4,
    __export_date: expect.any(String),
    __export_source: 'disparo',
  });
  expect([...new Set(resources.map(({ _type }) => _type))]).toEqual([
    'workspace',
    'environment',
    'request_group',
    'request',
  ]);
});

test('it has the same folders and requests as the steps, in the same order', () => {
  const placed = ofType('request_group')
    .sort((a, b) => a.metaSortKey - b.metaSortKey)
    .map(({ _id, name }) => [
      name,
      requests
        .filter(({ parentId }) => parentId === _id)
        .sort((a, b) => a.metaSortKey - b.metaSortKey)
        .map((request) => request.name),
    ]);
  expect(placed).toEqual(allFolders().map(({ name, steps }) => [name, steps.map((step) => step.name)]));
});

test('ids are unique, stay the same, and each parent is there', () => {
  const ids = resources.map(({ _id }) => _id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(insomniaOf(collection)).toEqual(insomniaOf(collection));
  expect(resources.filter(({ parentId }) => parentId !== null && !ids.includes(parentId))).toEqual([]);
});

test('each variable that is used, in a request or a script, is one of the environment', () => {
  const [environment] = ofType('environment');
  // A script may also set one for its own request.
  const local = [...text.matchAll(/insomnia\.variables\.set\('(\w+)'/g)].map(([, name]) => name ?? '');
  const known = [...Object.keys(environment?.data ?? {}), ...local];
  const used = [
    ...[...text.matchAll(/\{\{ _\.(\w+) \}\}/g)].map(([, name]) => name ?? ''),
    ...[...text.matchAll(/collectionVariables\.[gs]et\('(\w+)'/g)].map(([, name]) => name ?? ''),
  ];
  expect([...new Set(used)].filter((name) => !known.includes(name))).toEqual([]);
});

test('templates are those of Insomnia, and nothing else is one by accident', () => {
  const rendered = requests.map(({ preRequestScript, afterResponseScript, ...request }) => ({
    ...request,
    description: '',
  }));
  const templates = JSON.stringify(rendered).match(/\{\{.*?\}\}|\{%|\{#/g) ?? [];
  expect(templates.length).toBeGreaterThan(100);
  expect(templates.filter((template) => !/^\{\{ _\.\w+ \}\}$/.test(template))).toEqual([]);
});

describe('scripts', () => {
  const scripts = requests.flatMap((each) => [each.preRequestScript, each.afterResponseScript]).filter(Boolean);

  test('are JavaScript without a word of Postman, and each request has tests', () => {
    expect(scripts.filter((script) => /\bpm\b/.test(script))).toEqual([]);
    for (const script of scripts) new AsyncFunction('insomnia', script);
    expect(requests.filter((each) => !each.afterResponseScript.includes('insomnia.test('))).toEqual([]);
  });

  test('read headers in any letter case, wait for their pauses, and check no format', () => {
    expect(
      insomniaScript([
        "pm.expect(pm.response.headers.get('pull-next')).to.equal(pm.response.headers.get('x'));",
        '  setTimeout(() => {}, 250);',
        'const schema = {"type":"object","properties":{"format":{"type":"string","format":"date-time"}}};',
      ]),
    ).toBe(
      [
        "insomnia.expect(insomnia.response.headers.find(({ key }) => key.toLowerCase() === 'pull-next')?.value)" +
          ".to.equal(insomnia.response.headers.find(({ key }) => key.toLowerCase() === 'x')?.value);",
        '  await new Promise((resolve) => setTimeout(resolve, 250));',
        'const schema = {"type":"object","properties":{"format":{"type":"string"}}};',
      ].join('\n'),
    );
    expect(scripts.filter((script) => /headers\.get\(|setTimeout\(\(\)|"format":"/.test(script))).toEqual([]);
  });
});

test('a request has method, address, parameters, headers, key and body of the step', () => {
  const one = requests.find(({ name }) => name === 'Follow Pull-Next, for ten messages');
  expect(one).toMatchObject({
    method: 'GET',
    url: '{{ _.base_url }}/api/pix/:ispb/stream/:interationId',
    pathParameters: [
      { name: 'ispb', value: '{{ _.pix_ispb }}' },
      { name: 'interationId', value: '{{ _.pix_token }}' },
    ],
    headers: [{ name: 'Accept', value: 'multipart/json', description: '', disabled: false }],
    authentication: { type: 'none' },
    body: {},
  });
  const other = requests.find(({ name }) => name === 'Create a company');
  expect(other).toMatchObject({
    method: 'POST',
    url: '{{ _.base_url }}/api/companies',
    authentication: { type: 'bearer', token: '{{ _.token }}' },
    body: { mimeType: 'application/json', text: expect.stringContaining('"document": "{{ _.document }}"') },
  });
  const listed = requests.find(({ name }) => name === 'List the clients of events');
  expect(listed?.url).toBe('{{ _.base_url }}/api/events/clients');
  expect(listed?.parameters).toContainEqual(
    expect.objectContaining({ name: 'company_id', value: '{{ _.company_id }}', disabled: false }),
  );
});

test('no token, key or signature is in it, and no path of a machine', () => {
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.|X-Amz-Sig|"\/(home|work|Users|root|tmp)\//);
  expect(text).not.toMatch(/evk_[\w-]{43}|pay_[\w-]{43}|whsec_[A-Za-z0-9+/]{32}/);
  const secrets = Object.entries(ofType('environment')[0]?.data ?? {}).filter(([, value]) => value !== '');
  expect(secrets.map(([name]) => name)).toEqual(['base_url', 'password', 'new_password']);
});
