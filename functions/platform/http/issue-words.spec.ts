import { expect, test } from 'vitest';
import { z } from 'zod';
import { newMember, registration } from '../../accounts/accounts.schemas.js';
import { campaignForm, campaignJson, campaignQuery } from '../../campaigns/campaigns.schemas.js';
import { newUpload } from '../../uploads/uploads.schemas.js';
import { PageQuery, sliceQuery } from './slices.js';
import { parseWith } from './validation.js';

/** What a caller reads when a schema refuses a value. */
function words(schema: z.ZodType, value: unknown): string {
  try {
    parseWith(schema, value);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

test.each([
  [PageQuery, { page: 'x' }, 'page: must be a whole number'],
  [PageQuery, { page: '1.5' }, 'page: must be a whole number'],
  [PageQuery, { page: '1e400' }, 'page: must be a whole number'],
  [PageQuery, { page: '-1' }, 'page: must be at least 1'],
  [PageQuery, { page_size: '101' }, 'page_size: must be at most 100'],
  [PageQuery, { other: '1' }, 'other: is not known here'],
  [sliceQuery, { after: '99999999999' }, 'after: must be at most 999999999'],
  [campaignQuery, { status: 'sent' }, /^status: must be one of "pendente", .*, "cancelado"$/],
  [registration, [], 'the body must be a JSON object'],
  [registration, undefined, 'the body must be a JSON object'],
  [registration, { email: 1, password: null }, 'email: must be a text; password: must be a text'],
  [registration, { password: '12345678' }, 'email: must be given'],
  [
    registration,
    { email: 'x', password: '1' },
    'email: must be an e-mail address; password: must have at least 8 characters',
  ],
  [registration, { email: `${'x'.repeat(254)}@`, password: '12345678' }, 'email: must have at most 254 characters'],
  [newMember, { email: 'a@b.co', role: 'admin' }, 'role: must be one of "owner", "member"'],
  [
    campaignForm,
    { name: 'n', message: 'm', company_id: '', allow_duplicates: 'x' },
    /^company_id: must not be empty; allow_duplicates: must be one of "true", "false"$/,
  ],
  [
    campaignJson,
    { name: 'n', message: 'm', company_id: 'c', allow_duplicates: 'true', phone_numbers: {} },
    'allow_duplicates: must be true or false; phone_numbers: must be a list',
  ],
  [campaignJson, { name: 'n', message: 'm', company_id: 'c', phone_numbers: [1] }, 'phone_numbers.0: must be a text'],
  [campaignJson, { name: 'n', message: 'm', company_id: 'c' }, 'phone_numbers: must be given'],
  [newUpload, { name: 'n', message: 'm', company_id: 'c', size: 1.5 }, 'size: must be a whole number'],
] as [z.ZodType, unknown, string | RegExp][])(
  'a value is refused in the words of this house: %#',
  (schema, value, said) => {
    expect(words(schema, value)).toEqual(typeof said === 'string' ? said : expect.stringMatching(said));
  },
);

// The check of the form is too slow for an address of megabytes.
test('the length of an e-mail is checked before its form', () => {
  expect(words(registration, { email: 'a@'.repeat(4_000_000), password: '12345678' })).toBe(
    'email: must have at most 254 characters',
  );
});
