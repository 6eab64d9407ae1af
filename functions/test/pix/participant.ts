import type { Answer, ApiStage, TestCompany, TestUser } from '../../../testing/api-stage.js';

/** No stream has this token, so that who asks for it opens, claims and waits for nothing. */
const NO_TOKEN = 'zzzzzzzzzzzz';
/** What a collector is told of it who may collect. */
export const ADMITTED = [404, 'PIX.STREAM_NOT_FOUND'];

/** Status and code of an answer. */
export function brief({ status, body }: Answer): [number, unknown] {
  return [status, body?.code];
}

/** Whether a collector is admitted, as status and code. `headers`: all that it sends. */
export async function asked(
  stage: ApiStage,
  ispb: string,
  headers: Record<string, string> = {},
): Promise<[number, unknown]> {
  return brief(await stage.api('DELETE', `/api/pix/${ispb}/stream/${NO_TOKEN}`, { headers }));
}

/** The header that carries a key. */
export function bearer(key: string): { authorization: string } {
  return { authorization: `Bearer ${key}` };
}

/** Binds an ISPB, or asks for another key of it. */
export function bind(stage: ApiStage, user: TestUser, company: TestCompany, ispb: string) {
  const path = `/api/companies/${company.id}/pix/${ispb}`;
  return stage.api<Record<string, string>>('PUT', path, { token: user.token });
}

/** Takes the keys of an ISPB away. */
export function unbind(stage: ApiStage, user: TestUser, company: TestCompany, ispb: string) {
  return stage.api('DELETE', `/api/companies/${company.id}/pix/${ispb}`, { token: user.token });
}

/** Binds an ISPB and returns its key; fails with the answer when it was refused. */
export async function keyOf(...given: Parameters<typeof bind>): Promise<string> {
  const { status, body } = await bind(...given);
  if (status !== 201 || body.api_key === undefined) throw new Error(`not bound: ${status} ${JSON.stringify(body)}`);
  return body.api_key;
}
