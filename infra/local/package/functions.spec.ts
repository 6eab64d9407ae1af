import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { functionNames } from './function-names.js';

const { functions, resources } = load(readFileSync('serverless.yml', 'utf8')) as {
  functions: Record<string, object>;
  resources: { Resources: Record<string, object> };
};

test('the functions are the files of functions/ that have a handler', () => {
  const files = readdirSync('functions').filter((file) => file.endsWith('.ts'));
  const entries = files.filter((file) => /^export .*\bhandler\b/m.test(readFileSync(join('functions', file), 'utf8')));
  expect(entries).toEqual(
    functionNames()
      .map((name) => `${name}.ts`)
      .sort(),
  );
});

test.each(functionNames())('%s: has handler, zip, role, log and a limit of connections', (name) => {
  const logical = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  expect(functions[name]).toMatchObject({
    handler: `dist/bundle/${name}.handler`,
    package: { artifact: `dist/package/${name}.zip` },
    role: `${logical}Role`,
    reservedConcurrency: expect.any(Number),
    events: expect.any(Array),
  });
  expect(JSON.stringify(resources.Resources[`${logical}Role`])).toContain(`"${logical}LogGroup"`);
  expect(readFileSync('functions/README.md', 'utf8')).toContain(`\`${name}.ts\``);
});
