import { z } from 'zod';
import { pageOf } from '../platform/validation.js';

const NO_CONTROL = /^[^\p{Cc}]*$/u;

const email = z.email().max(254);
const password = z.string().min(8).max(200);
const name = z.string().trim().min(1).max(200).regex(NO_CONTROL, 'must not hold control characters');
const document = z.string().meta({ description: 'CNPJ, with or without punctuation', example: '12.ABC.345/01DE-35' });
const role = z.enum(['owner', 'member']);
const id = z.string();
const time = z.iso.datetime();
const NOT_EMPTY = { message: 'names nothing to change' };

function notEmpty(change: object): boolean {
  return Object.values(change).some((value) => value !== undefined);
}

export const registration = z.strictObject({ email, password });
export type Registration = z.output<typeof registration>;

export const credentials = z.strictObject({ email, password: z.string().min(1).max(200) });
export type Credentials = z.output<typeof credentials>;

export const userChange = z
  .strictObject({ email: email.optional(), password: password.optional() })
  .refine(notEmpty, NOT_EMPTY);
export type UserChange = z.output<typeof userChange>;

export const newCompany = z.strictObject({ name, document });
export type NewCompany = z.output<typeof newCompany>;

export const companyChange = z
  .strictObject({ name: name.optional(), document: document.optional() })
  .refine(notEmpty, NOT_EMPTY);
export type CompanyChange = z.output<typeof companyChange>;

export const newMember = z.strictObject({ email, role });
export type NewMember = z.output<typeof newMember>;
export type Role = z.output<typeof role>;

/** What a login gives. */
export const accessTokenView = z.strictObject({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'seconds' }),
});
export type AccessTokenView = z.output<typeof accessTokenView>;

export const userView = z.strictObject({ id, email, created_at: time, updated_at: time, deleted: z.boolean() });
export const userPage = pageOf(userView);

export const companyView = z.strictObject({
  id,
  name,
  document: z.string(),
  created_at: time,
  updated_at: time,
  deleted: z.boolean(),
});
export const companyPage = pageOf(companyView);

export const memberView = z.strictObject({
  company_id: id,
  user_id: id,
  email,
  role,
  created_at: time,
  updated_at: time,
  deleted: z.boolean(),
});
export const memberPage = pageOf(memberView);
