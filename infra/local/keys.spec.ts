import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { KEY_GROUPS, type Key, type Reader } from '@disparo/contract';
import { load, YAML11_SCHEMA } from 'js-yaml';
import { describe, expect, test } from 'vitest';

const KEYS: [name: string, key: Key][] = Object.values(KEY_GROUPS).flatMap((group) => Object.entries(group));
const LANGUAGES = ['typescript', 'rust', 'go'];
const SHARED = 'consumer/contract/src/configuration.ts';
/** The only files where each app reads its keys. */
const CONFIGS: [reader: Reader, files: string[]][] = [
  ['api', [SHARED, 'functions/platform/config.ts']],
  ['consumers', [SHARED, 'consumer/typescript/src/config.ts']],
  ['consumers', ['consumer/rust/src/config.rs']],
  ['consumers', ['consumer/go/internal/contract/configuration.go', 'consumer/go/internal/consumer/config.go']],
];
/** They publish events, and read a few keys of several apps. */
const PRODUCERS = 'consumer/go/internal/producers/config.go';
/** Variables of serverless.yml that are no keys: tests that start serverless offline themselves set them. */
const OF_TESTS = ['LAMBDA_PORT'];
/** An error code of Node such as `ENOENT`, which looks like a key. */
const NODE_CODE = /^E[A-Z]+$/;
const TABLE_HEAD = '| key | default | values | what |\n|---|---|---|---|\n';
const WIDTH = 120;

const read = (file: string) => readFileSync(file, 'utf8');
const namesOf = (keys: [string, Key][]) => keys.map(([name]) => name).sort();
const keysOf = (reader: Reader) => KEYS.filter(([, { readers }]) => readers.includes(reader));
const isKey = (name: string) => KEYS.some(([key]) => key === name);

/** The sorted first groups of all matches in a text, each once. */
function named(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort();
}

const serverless = load(read('serverless.yml')) as {
  provider: { environment: Record<string, string> };
  params: Record<'default' | 'local', Record<string, string>>;
  plugins: string[];
};
/** Read as YAML 1.1, which has `<<`. */
const compose = load(read('docker-compose.yml'), { schema: YAML11_SCHEMA }) as {
  services: Record<string, { environment?: Record<string, string> }>;
};

describe('made of the table of keys, and made anew with -u', () => {
  test('.env.example has every key with its default', async () => {
    await expect(envExample()).toMatchFileSnapshot(resolve('.env.example'));
  });

  test.each([
    ['README.md', ['api', 'functions', 'consumers', 'commands']],
    ...LANGUAGES.map((language) => [`consumer/${language}/README.md`, ['consumers']]),
  ] as [string, Reader[]][])('%s has the table of keys that %j read', async (file, readers) => {
    const shown = KEYS.filter(([, key]) => key.readers.some((reader) => readers.includes(reader)));
    const [before = '', after = '', ...more] = read(file).split(TABLE_HEAD);
    expect([after === '', more]).toEqual([false, []]);
    const rest = after.slice(after.indexOf('\n\n') + 1);
    await expect([before, TABLE_HEAD, ...shown.map(tableRow), rest].join('')).toMatchFileSnapshot(resolve(file));
  });
});

describe('read and passed on where the table says', () => {
  test.each(CONFIGS)('%s read their keys in %j', (reader, files) => {
    const quoted = named(files.map(read).join(), /(?:["']|\benv\.)([A-Z][A-Z0-9_]{3,})\b/g);
    expect(quoted.filter((name) => !NODE_CODE.test(name))).toEqual(namesOf(keysOf(reader)));
  });

  test('the producers in Go read keys of the table only', () => {
    const quoted = named(read(PRODUCERS), /"([A-Z][A-Z0-9_]{3,})"/g);
    expect(quoted).toContain('EVENTS_SQS_QUEUE');
    expect(quoted.filter((name) => !isKey(name))).toEqual([]);
  });

  test('what commands alone read is read by a plugin of serverless.yml', () => {
    const plugins = serverless.plugins.filter((plugin) => plugin.startsWith('./')).map(read);
    const alone = KEYS.filter(([, { readers }]) => readers.join() === 'commands');
    expect(namesOf(alone).filter((name) => !plugins.join().includes(name))).toEqual([]);
  });

  test('serverless.yml passes on what functions read', () => {
    expect(Object.keys(serverless.provider.environment).sort()).toEqual(namesOf(keysOf('functions')));
    const taken = named(read('serverless.yml'), /\$\{env:(\w+)/g);
    expect(taken.filter((name) => !isKey(name))).toEqual(OF_TESTS);
  });

  test.each(keysOf('functions').filter(([, { secret }]) => secret))(
    'serverless.yml keeps %s out of a template',
    (name) => {
      const { provider, params } = serverless;
      const [, param = ''] = /^\$\{param:(\w+)\}$/.exec(provider.environment[name] ?? '') ?? [];
      expect([params.default[param], params.local[param]]).toEqual([
        `{{resolve:secretsmanager:disparo/\${sls:stage}:SecretString:${name}}}`,
        `\${env:${name}, ''}`,
      ]);
    },
  );

  test.each([['api', 'api'], ...LANGUAGES.map((language) => [`consumer-${language}`, 'consumers'])] as [
    string,
    Reader,
  ][])('docker-compose.yml and the image tell %s what %s read', (service, reader) => {
    const told = Object.keys(compose.services[service]?.environment ?? {});
    const [image = ''] = /^ENV .*$/m.exec(read(`infra/docker/${service}.Dockerfile`)) ?? [];
    const wanted = namesOf(keysOf(reader));
    expect(wanted.filter((name) => !told.includes(name) && !image.includes(` ${name}=`))).toEqual([]);
    expect(told.filter((name) => !wanted.includes(name))).toEqual([]);
  });

  test('docker-compose.yml takes keys of the table only, and every one that is its own', () => {
    const taken = named(read('docker-compose.yml'), /\$\{(\w+)/g);
    expect(taken.filter((name) => !isKey(name))).toEqual([]);
    expect(namesOf(keysOf('compose')).filter((name) => !taken.includes(name))).toEqual([]);
  });
});

function tableRow([name, key]: [string, Key]): string {
  const fallback = key.default === undefined ? key.unset : `\`${key.default}\``;
  return `| \`${name}\` | ${fallback} | ${valuesOf(key)} | ${key.what} |\n`;
}

function valuesOf(key: Key): string {
  if (key.kind === 'integer') return `${key.min} to ${key.max}`;
  if (key.kind === 'boolean') return '`true`, `false`';
  if (key.kind === 'word') return key.words.map((word) => `\`${word}\``).join(', ');
  return key.kind === 'url' ? key.schemes.map((scheme) => `\`${scheme}://\``).join(', ') : '';
}

function envExample(): string {
  const sections = Object.entries(KEY_GROUPS).map(([heading, keys]) => {
    const title = `# --- ${heading} `;
    return [title.padEnd(WIDTH, '-'), ...Object.entries(keys).flatMap(linesOf)].join('\n');
  });
  return `${[HEAD, ...sections].join('\n\n')}\n`;
}

const HEAD = [
  '# Copy to .env. What is set in the environment wins over this file; what is empty counts as unset.',
  '# The order everywhere: environment, .env, .local/services.env (written by `npm run services`), default.',
].join('\n');

function linesOf([name, key]: [string, Key]): string[] {
  const what = `${key.what[0]?.toUpperCase()}${key.what.slice(1)}`;
  const empty = key.default === undefined ? `Empty: ${key.unset}` : '';
  const told = [what, valuesOf(key), empty].filter(Boolean).map((each) => `${each}.`);
  const line = key.default === undefined ? `#${name}=${key.example ?? ''}` : `${name}=${key.default}`;
  return [...wrapped(told.join(' ')), line];
}

/** The text as comment lines within the width. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? '#'} ${word}`;
    if (lines.length > 0 && longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(`# ${word}`);
  }
  return lines;
}
