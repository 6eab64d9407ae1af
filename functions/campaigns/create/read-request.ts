import { createHash } from 'node:crypto';
import { createId } from '@paralleldrive/cuid2';
import type { FastifyRequest } from 'fastify';
import type { NewCampaign } from '../../ledger/accept/accept-campaign.js';
import { readForm } from '../../platform/http/form.js';
import { parseWith } from '../../platform/http/validation.js';
import { ValidationProblem } from '../../platform/problem.js';
import type { Recipients } from '../../recipients/recipients.js';
import { recipientsFromList } from '../../recipients/recipients-file.js';
import { FileMissing, FileTooLarge } from '../campaigns.errors.js';
import { type CampaignFields, campaignForm, campaignJson, phoneColumn } from '../campaigns.schemas.js';
import { NumbersPart } from './numbers-part.js';

/** A request for a campaign, read whole. */
interface CampaignRequest {
  campaign: NewCampaign;
  /** The header Idempotency-Key. */
  key: string | undefined;
  /** SHA-256 over the fields and the SHA-256 of the file's bytes: what an Idempotency-Key stands for. */
  content: Buffer;
}

/** What a form or a JSON body has: its fields, its numbers, and the SHA-256 of the numbers as they came. */
interface Body {
  fields: CampaignFields;
  allowDuplicates: boolean;
  recipients: Recipients;
  sha256: Buffer;
}

/**
 * Reads multipart (as a stream, parts in any order) or JSON. Throws ValidationProblem, FileMissing, FileTooLarge,
 * FileIsNotText, PhoneColumnUnknown. Nothing is stored.
 */
export async function readRequest(userId: string, request: FastifyRequest, limitMib: number): Promise<CampaignRequest> {
  const key = idempotencyKey(request.headers['idempotency-key']);
  const body = request.isMultipart() ? await formBody(request, limitMib) : await jsonBody(request.body);
  const { name, message, company_id: companyId } = body.fields;
  request.companyId = companyId;
  const { recipients } = body;
  const campaign = { id: createId(), userId, companyId, name, message, recipients, traceparent: request.traceparent };
  return { campaign, key, content: contentOf(body) };
}

async function jsonBody(body: unknown): Promise<Body> {
  const { phone_numbers, allow_duplicates: allowDuplicates = false, ...fields } = parseWith(campaignJson, body ?? {});
  const sha256 = createHash('sha256').update(JSON.stringify(phone_numbers)).digest();
  const recipients = await recipientsFromList(phone_numbers, { allowDuplicates, column: fields.phone_column });
  return { fields, allowDuplicates, recipients, sha256 };
}

async function formBody(request: FastifyRequest, limitMib: number): Promise<Body> {
  const numbers = new NumbersPart();
  try {
    const form = await readForm(request, {
      name: 'file',
      limitMib,
      begin: (fields) => numbers.begin(phoneColumn.safeParse(fields.get('phone_column')).data),
      tooLarge: () => new FileTooLarge(limitMib),
      notAFile: () =>
        new FileMissing('the part "file" is a plain field; send it as a file: with curl, -F file=@numbers.txt'),
    });
    const { allow_duplicates, ...fields } = parseWith(campaignForm, form.fields);
    if (!form.file) throw new FileMissing();
    if (form.file.isTooLarge) throw new FileTooLarge(limitMib);
    const allowDuplicates = allow_duplicates === 'true';
    const recipients = await numbers.recipients({ allowDuplicates, column: fields.phone_column });
    return { fields, allowDuplicates, recipients, sha256: form.file.sha256 };
  } finally {
    await numbers.close();
  }
}

function contentOf({ fields, allowDuplicates, sha256 }: Body): Buffer {
  const { name, message, company_id, phone_column: column } = fields;
  const content = JSON.stringify([
    name,
    message,
    company_id,
    allowDuplicates,
    ...(column === undefined ? [] : [column]),
  ]);
  return createHash('sha256').update(content).update(sha256).digest();
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\x20-\x7e]{1,255}$/.test(header) && header.trim() !== '') return header;
  throw new ValidationProblem([{ path: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
}
