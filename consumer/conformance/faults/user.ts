import { setTimeout as delay } from 'node:timers/promises';
import { randomFrom } from '../../../testing/random.js';
import { unlessOutage } from './outage.js';

/** Some area codes of Brazil. */
const AREA_CODES = [11, 21, 31, 41, 51, 61, 71, 81, 91];
const SUBSCRIBERS = 1e8;
const RETRY_MS = 100;
/** Longer than the API is down in any fault. */
const PATIENCE_MS = 120_000;
const ANSWER_TIMEOUT_MS = 30_000;
const OK = 200;
const CREATED = 201;
const AWAY = 503;
/** The most that the API has on a page. */
const PAGE_SIZE = 100;

/** A file of numbers, and the text to send to each. */
export interface Upload {
  name: string;
  message: string;
  /** Different ones, in the file's order. */
  numbers: string[];
}

/** How an accepted upload went. */
export interface Receipt {
  id: string;
  /** 200: an earlier try was accepted, but its answer was lost. */
  status: typeof OK | typeof CREATED;
  /** Tries without any answer. */
  unanswered: number;
}

/** What the API says of a campaign. */
export interface CampaignView {
  id: string;
  status: string;
  total: number;
  published: number;
  stored: number;
  percent: number;
}

/** `total` different mobile numbers in a random order: the same ones for the same seed. */
export function uploadOf(seed: number, nth: number, total: number): Upload {
  const random = randomFrom(seed * 1_000 + nth);
  const numbers = new Set<string>();
  while (numbers.size < total) {
    const area = AREA_CODES[Math.floor(random() * AREA_CODES.length)];
    numbers.add(`+55${area}9${String(Math.floor(random() * SUBSCRIBERS)).padStart(8, '0')}`);
  }
  return { name: `campaign ${nth}`, message: `Oi! Esta é a campanha ${nth}.`, numbers: [...numbers] };
}

/** A user who sends campaigns through the API, and tries again while it is down. */
export class User {
  private constructor(
    private readonly api: string,
    private readonly over: AbortSignal,
    private readonly token: string,
    private readonly companyId: string,
  ) {}

  /** Registers, logs in and founds a company. */
  static async register(api: string, over: AbortSignal): Promise<User> {
    const nobody = new User(api, over, '', '');
    const credentials = { email: 'dona@example.com', password: 'correct horse battery' };
    await nobody.json('POST', '/api/users', credentials, CREATED);
    const { access_token } = await nobody.json<{ access_token: string }>('POST', '/api/auth/login', credentials, OK);
    const owner = new User(api, over, access_token, '');
    const company = { name: 'Empresa', document: '11.222.333/0001-81' };
    const { id } = await owner.json<{ id: string }>('POST', '/api/companies', company, CREATED);
    return new User(api, over, access_token, id);
  }

  /** Sends a file until it is accepted, with the same key each time, so that it is accepted once. Throws on a refusal. */
  async send({ name, message, numbers }: Upload): Promise<Receipt> {
    const file = new Blob([`${numbers.join('\n')}\n`]);
    const headers = { 'idempotency-key': name };
    const ask = (): RequestInit => {
      const body = new FormData();
      for (const [field, value] of Object.entries({ name, message, company_id: this.companyId }))
        body.append(field, value);
      body.append('file', file, 'numbers.txt');
      return { method: 'POST', headers, body };
    };
    const { status, body, unanswered } = await this.answered<CampaignView>('/api/campaigns', ask, [OK, CREATED]);
    if (body.total !== numbers.length) throw new Error(`${name}: ${body.total} of ${numbers.length} numbers accepted`);
    return { id: body.id, status: status as Receipt['status'], unanswered };
  }

  campaign(id: string): Promise<CampaignView> {
    return this.json('GET', `/api/campaigns/${id}`, undefined, OK);
  }

  /** The ids of all campaigns, page by page. To be called while none is being sent. */
  async campaignIds(): Promise<string[]> {
    const ids: string[] = [];
    for (let page = 1; ; page++) {
      const path = `/api/campaigns?page_size=${PAGE_SIZE}&page=${page}`;
      const { data } = await this.json<{ data: CampaignView[] }>('GET', path, undefined, OK);
      ids.push(...data.map(({ id }) => id));
      if (data.length < PAGE_SIZE) return ids;
    }
  }

  private async json<T>(method: string, path: string, body: object | undefined, wanted: number): Promise<T> {
    const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    return (await this.answered<T>(path, () => ({ method, ...json }), [wanted])).body;
  }

  /** Asks until there is an answer other than 503. Throws when its status is not a wanted one. */
  private async answered<T>(
    path: string,
    ask: () => RequestInit,
    wanted: number[],
  ): Promise<{ status: number; body: T; unanswered: number }> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let unanswered = 0; ; await delay(RETRY_MS, undefined, { signal: this.over })) {
      if (performance.now() > deadline) throw new Error(`${path} was not answered within ${PATIENCE_MS / 1_000} s`);
      const answer = await this.once(path, ask()).catch((error: unknown) => {
        this.over.throwIfAborted();
        return unlessOutage(error);
      });
      if (!answer) unanswered++;
      else if (wanted.includes(answer.status))
        return { status: answer.status, body: JSON.parse(answer.text) as T, unanswered };
      else if (answer.status !== AWAY) throw new Error(`${path} was answered with ${answer.status}: ${answer.text}`);
    }
  }

  /** Rejects when the connection breaks, also in the middle of the answer. */
  private async once(path: string, request: RequestInit): Promise<{ status: number; text: string }> {
    const headers = { ...request.headers, authorization: `Bearer ${this.token}` };
    const signal = AbortSignal.any([this.over, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const response = await fetch(`${this.api}${path}`, { ...request, headers, signal });
    return { status: response.status, text: await response.text() };
  }
}
