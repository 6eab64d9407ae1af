import { describe, expect, test } from 'vitest';
import { type Form, formOf } from './accept.js';

const REFUSED = undefined;

/** Each row: the header, and the form it asks for. */
const CASES: Record<string, readonly (readonly [string | undefined, Form | undefined])[]> = {
  'without a wish it is one message': [
    [undefined, 'one'],
    ['', 'one'],
    ['  ', 'one'],
    [',', 'one'],
    [' , ,', 'one'],
  ],
  'any type, and any of application, is one message': [
    ['*/*', 'one'],
    ['application/*', 'one'],
    ['application/json', 'one'],
    ['*/*;q=0.1', 'one'],
  ],
  'multipart is up to ten': [
    ['multipart/json', 'many'],
    ['multipart/*', 'many'],
  ],
  'the highest quality wins': [
    ['application/json;q=0.5, multipart/json', 'many'],
    ['application/json, multipart/json;q=0.999', 'one'],
    ['multipart/json;q=0.2, */*;q=0.1', 'many'],
    ['multipart/json;q=0.1, */*;q=0.2', 'one'],
    ['application/json;q=0.001, multipart/json;q=0.002', 'many'],
  ],
  'then the more exactly named': [
    ['multipart/json, */*', 'many'],
    ['*/*, multipart/json', 'many'],
    ['multipart/*, */*', 'many'],
    ['application/*, multipart/json', 'many'],
    ['multipart/*, application/json', 'one'],
    ['application/json, text/plain, */*', 'one'],
    ['text/plain, */*', 'one'],
  ],
  'then the first': [
    ['multipart/json, application/json', 'many'],
    ['application/json, multipart/json', 'one'],
    ['multipart/*, application/*', 'many'],
    ['application/*, multipart/*', 'one'],
  ],
  'a form has the quality of the most exact range that names it': [
    ['*/*;q=1, application/json;q=0.1', 'many'],
    ['application/*;q=0.1, application/json;q=0.9, multipart/json;q=0.5', 'one'],
  ],
  'a quality of zero refuses that form alone': [
    ['application/json;q=0, */*', 'many'],
    ['multipart/json;q=0, */*', 'one'],
    ['multipart/json;q=0, application/json;q=0, */*', REFUSED],
    ['application/*;q=0.000, */*', 'many'],
    ['*/*;q=0', REFUSED],
    ['*/*;q=0, multipart/json', 'many'],
    ['application/json;q=0', REFUSED],
    ['multipart/json;q=0.', REFUSED],
  ],
  'an element whose quality is none is dropped': [
    ['multipart/json;q=high, application/json;q=0.1', 'one'],
    ['multipart/json;q=1.1, application/json', 'one'],
    ['multipart/json;q=, application/json', 'one'],
    ['multipart/json;q=-1, application/json', 'one'],
    ['multipart/json;q=0.1234, application/json;q=0.1', 'one'],
    ['multipart/json;q=1e0, application/json', 'one'],
    ['application/json;q=2', REFUSED],
  ],
  'letter case and parameters do not matter': [
    ['Multipart/JSON', 'many'],
    ['APPLICATION/json; Charset="UTF-8"; Q=0.5', 'one'],
    ['application/json;Q=0.1, multipart/json;q=0.2', 'many'],
    ['application/json;version=2', 'one'],
    ['multipart/json ; boundary=x ; q=1.000', 'many'],
    ['application/json;note="a, multipart/json"', 'one'],
    ['multipart/json;note="a;q=0"', 'many'],
    ['multipart/json;note="never closed', 'many'],
  ],
  'what is neither form is refused': [
    ['text/html', REFUSED],
    ['multipart/mixed', REFUSED],
    ['multipart/form-data, text/html', REFUSED],
    ['application/xml', REFUSED],
    ['json', REFUSED],
    ['*', REFUSED],
    ['*/json', REFUSED],
    ['application/json+x', REFUSED],
    ['xapplication/json', REFUSED],
    ['text/html, multipart/json;q=0.1', 'many'],
    [';q=1', REFUSED],
  ],
};

describe.each(Object.entries(CASES))('%s', (_, rows) => {
  test.each(rows)('%s: %s', (accept, form) => {
    expect(formOf(accept)).toBe(form);
  });
});

test.each([',', '",', '",",', 'a;', 'a;q="', 'application/json;q=0,'])(
  'a header of as many %s as fit takes no time',
  (part) => {
    const header = part.repeat(16_000 / part.length);
    // The best of five: the machine has other work.
    const times = Array.from({ length: 5 }, () => {
      const began = performance.now();
      formOf(header);
      return performance.now() - began;
    });
    expect(Math.min(...times)).toBeLessThan(100);
  },
);
