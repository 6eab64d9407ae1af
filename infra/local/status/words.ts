import { ConfigurationError, refusal } from '@disparo/contract';
import type { Variable } from '../../../services/names.js';
import { place } from '../../../services/place.js';
import { AnswerTimeout } from './kept-connection.js';

/** Why a service is down, for a person, without a secret. `url` is the value of the variable. */
export function inWords(error: unknown, variable: Variable, url: string | undefined): string {
  if (error instanceof ConfigurationError) return error.message;
  const refused = refusal(error);
  if (refused) return `${variable}: ${refused}`;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const said = `${String(code ?? '')} ${String(message ?? error)}`;
  const where = place(url).replace(/\/.*$/, '');
  if (error instanceof AnswerTimeout || /ETIMEDOUT|timeout expired|timed out/i.test(said))
    return `no answer from ${where}`;
  if (/ECONNREFUSED/.test(said)) return `nothing listens at ${where}`;
  if (/ENOTFOUND|EAI_AGAIN/.test(said)) return `there is no host ${where}`;
  if (/EHOSTUNREACH|ENETUNREACH/.test(said)) return `there is no way to ${where}`;
  return said.trim().split('\n')[0] ?? 'it does not answer';
}
