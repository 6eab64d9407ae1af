import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withStrictOptions } from './url-options.js';

const EXAMPLES = new URL('../examples/url-options.jsonl', import.meta.url);

interface Example {
  variable: 'MONGODB_URL' | 'RABBITMQ_URL';
  url: string;
  taken: boolean;
}

const examples = readFileSync(EXAMPLES, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Example);

describe('the options of a URL', () => {
  it.each(examples)('$variable $url is taken: $taken', ({ variable, url, taken }) => {
    expect(withStrictOptions(variable, url) !== undefined).toBe(taken);
  });

  it.each([
    [
      'mongodb://u:p@h?W=2&tls=true&tlsCAFile=/a%2Bb+c&&compressors=zlib,zstd&authSource=x',
      'mongodb://u:p@h/?tls=true&tlscafile=%2Fa%2Bb%2Bc&authsource=x',
    ],
    ['mongodb://h/d?w=1&authSource=x', 'mongodb://h/d'],
    ['mongodb://u:p%40@h1,h2/?replicaSet=r', 'mongodb://u:p%40@h1,h2/?replicaset=r'],
  ])('leaves out what changes nothing: %s', (url, kept) => {
    expect(withStrictOptions('MONGODB_URL', url)).toBe(kept);
  });

  it('keeps the heartbeat of a broker alone', () => {
    const url = 'amqp://h/v?auth_mechanism=plain&heartbeat=5&channel_max=1';
    expect(withStrictOptions('RABBITMQ_URL', url)).toBe('amqp://h/v?heartbeat=5');
  });
});
