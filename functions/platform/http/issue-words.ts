import { z } from 'zod';

type Issue = Parameters<z.core.$ZodErrorMap>[0];

const TYPES: Record<string, string> = {
  string: 'a text',
  // Every number that the API takes is a whole one.
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};
const FORMATS: Record<string, string> = { email: 'must be an e-mail address', date: 'must be a date, YYYY-MM-DD' };

/**
 * What callers read about a field that does not fit its schema, in one style for all schemas without words of their own. The
 * library's words change with its versions, and would tell a caller who wrote `page=x` about NaN.
 */
function wordsOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'must be given' : `must be ${TYPES[issue.expected] ?? 'of another type'}`;
    case 'too_small':
      return bound(issue.origin, 'at least', Number(issue.minimum));
    case 'too_big':
      return bound(issue.origin, 'at most', Number(issue.maximum));
    case 'invalid_format':
      return FORMATS[issue.format] ?? 'must be of another form';
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((each) => JSON.stringify(each)).join(', ')}`;
    case 'unrecognized_keys':
      return 'is not known here';
    default:
      return 'is not valid';
  }
}

function bound(origin: string, side: 'at least' | 'at most', limit: number): string {
  if (origin === 'string')
    return limit === 1 && side === 'at least' ? 'must not be empty' : `must have ${side} ${limit} characters`;
  if (origin === 'array') return `must have ${side} ${limit} entries`;
  return `must be ${side} ${limit}`;
}

z.config({ customError: wordsOf });
