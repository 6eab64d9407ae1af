import { z } from 'zod';
import { pageOf } from '../platform/http/slices.js';
import { isVisible, nameOf } from '../platform/http/text.js';
import { idOf, lifeFields, timeOf } from '../platform/http/validation.js';

const EMAIL_LIMIT = 254;

/** The length is checked first: the check of the form of an address is too slow for megabytes. */
const email = z
  .string()
  .max(EMAIL_LIMIT, { abort: true })
  .check(z.email())
  .meta({ description: 'An e-mail address; letter case is ignored.', example: 'ana@example.com' });
const password = z
  .string()
  .max(200, { abort: true })
  .min(8)
  .refine(isVisible, 'must not be blank')
  .meta({ description: 'A new password, 8 to 200 characters.', example: 'correto cavalo bateria' });
const name = nameOf('Acme Comércio Ltda');
const document = z.string().meta({
  description: 'CNPJ with its check digits, of digits or alphanumeric, with or without punctuation.',
  example: '12.ABC.345/01DE-35',
});
const role = z.enum(['owner', 'member']).meta({
  description: 'An `owner` changes the company and its members; a `member` sees it and sends.',
  example: 'member',
});
const userId = idOf('user', 'pfh0haxfpzowht3oi213cqos');
const companyId = idOf('company', 'tz4a98xxat96iws9zmbrgj3a');
const NOT_EMPTY = { message: 'names nothing to change' };

function notEmpty(change: object): boolean {
  return Object.values(change).some((value) => value !== undefined);
}

export const registration = z.strictObject({ email, password }).meta({ description: 'A new user.' });
export type Registration = z.output<typeof registration>;

/** A password that is compared with the stored one: any that was ever accepted. */
const knownPassword = z.string().min(1).max(200);

export const credentials = z
  .strictObject({
    email,
    password: knownPassword.meta({ description: 'The password.', example: 'correto cavalo bateria' }),
  })
  .meta({ description: 'Who logs in.' });
export type Credentials = z.output<typeof credentials>;

export const userChange = z
  .strictObject({
    email: email.optional(),
    password: password.optional(),
    current_password: knownPassword.meta({
      description: 'The current password: a token alone, which may be stolen, changes nothing.',
      example: 'correto cavalo bateria',
    }),
  })
  .refine(({ current_password: _, ...change }) => notEmpty(change), NOT_EMPTY)
  .meta({ description: 'What changes, at least one of e-mail and password; and the current password.' });
export type UserChange = z.output<typeof userChange>;

export const newCompany = z.strictObject({ name, document }).meta({ description: 'A new company.' });
export type NewCompany = z.output<typeof newCompany>;

export const companyChange = z
  .strictObject({ name: name.optional(), document: document.optional() })
  .refine(notEmpty, NOT_EMPTY)
  .meta({ description: 'What changes: at least one of the two.' });
export type CompanyChange = z.output<typeof companyChange>;

export const newMember = z
  .strictObject({ email: email.meta({ description: 'Of a registered user.', example: 'bia@example.com' }), role })
  .meta({ description: 'The user to invite, or the member to give another role; and the role.' });
export type NewMember = z.output<typeof newMember>;
export type Role = z.output<typeof role>;

/** What a login gives. */
export const accessTokenView = z
  .strictObject({
    access_token: z
      .string()
      .meta({ description: 'A JWT, for the header `Authorization: Bearer`.', example: 'eyJhbGciOi...' }),
    token_type: z.literal('Bearer').meta({ description: 'Always `Bearer`.' }),
    expires_in: z.int().positive().meta({ description: 'Seconds until it expires.', example: 3_600 }),
  })
  .meta({ id: 'AccessToken', description: 'What a login gives.' });
export type AccessTokenView = z.output<typeof accessTokenView>;

export const userView = z
  .strictObject({ id: userId, email, ...lifeFields })
  .meta({ id: 'User', description: 'A user; the password is in no answer.' });
export const userPage = pageOf(userView).meta({ id: 'UserPage', description: 'A page of users.' });

export const companyView = z
  .strictObject({
    id: companyId,
    name,
    document: z.string().meta({ description: 'The CNPJ without punctuation.', example: '12ABC34501DE35' }),
    ...lifeFields,
  })
  .meta({ id: 'Company', description: 'A company.' });
export const companyPage = pageOf(companyView).meta({ id: 'CompanyPage', description: 'A page of companies.' });

export const memberView = z
  .strictObject({
    company_id: companyId,
    user_id: userId,
    email,
    role,
    accepted_at: timeOf('When the user accepted').nullable().meta({
      description: 'When the user accepted; `null`: invited, and no member yet.',
      example: '2026-11-24T12:00:00.000Z',
    }),
    ...lifeFields,
  })
  .meta({ id: 'Member', description: 'A user in a company, or invited to it.' });
export const memberPage = pageOf(memberView).meta({ id: 'MemberPage', description: 'A page of members.' });

const invitationView = z
  .strictObject({
    company_id: companyId,
    company_name: name,
    role,
    expires_at: timeOf('It can be answered until'),
    ...lifeFields,
  })
  .meta({ id: 'Invitation', description: 'A company that wants you as a member.' });
export const invitationPage = pageOf(invitationView).meta({
  id: 'InvitationPage',
  description: 'A page of invitations.',
});
