import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { ApiStage, type TestCompany, type TestUser } from '../../testing/api-stage.js';
import { Offline } from './offline.js';

/** The two ways to the API: a server of its own, and a function behind a gateway. */
export const ENTRIES = ['the plain server', 'serverless offline'] as const;

/** An API by one of its entries, with a user, a company of theirs and a campaign. */
export class Edge {
  private constructor(
    readonly stage: ApiStage,
    readonly ana: TestUser,
    readonly company: TestCompany,
    readonly campaignId: string,
    private readonly offline: Offline | undefined,
  ) {}

  static async open(entry: (typeof ENTRIES)[number]): Promise<Edge> {
    const isPlain = entry === 'the plain server';
    const stage = await ApiStage.open({ start: isPlain });
    if (!isPlain) await stage.stores.migrate();
    const offline = isPlain ? undefined : await Offline.open(stage);
    const ana = await stage.user();
    const company = await stage.company(ana);
    const { body } = await stage.api<{ id: string }>('POST', '/api/campaigns', {
      token: ana.token,
      body: { name: 'n', message: 'm', company_id: company.id, phone_numbers: ['11987654321'] },
    });
    return new Edge(stage, ana, company, body.id, offline);
  }

  async close(): Promise<void> {
    await this.offline?.close();
    await this.stage.close();
  }

  /** Sends bytes as they are, on a connection of their own: a kept one may be closed while the bytes are made. */
  async send(
    method: string,
    path: string,
    bytes: Uint8Array | string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; type: string; body: Record<string, unknown>; text: string }> {
    const asked = request(this.stage.url + path, {
      method,
      agent: false,
      headers: {
        authorization: `Bearer ${this.ana.token}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(bytes),
        ...headers,
      },
    });
    asked.end(bytes);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const text = Buffer.concat(await response.toArray()).toString();
    const { statusCode: status = 0, headers: answered } = response;
    return { status, type: answered['content-type'] ?? '', body: text === '' ? {} : JSON.parse(text), text };
  }

  /** Status and code of an answer to a form of these parts, headers and all, each of them bytes as they are. */
  async form(parts: Buffer[], contentType = 'multipart/form-data; boundary=x'): Promise<[number, unknown]> {
    const delimited = parts.flatMap((part) => [Buffer.from('--x\r\n'), part, Buffer.from('\r\n')]);
    const bytes = Buffer.concat([...delimited, Buffer.from('--x--\r\n')]);
    const { status, body } = await this.send('POST', '/api/campaigns', bytes, { 'content-type': contentType });
    return [status, body.code];
  }

  /** Every route that takes a text, with `text` in its place. */
  texts(text: string): [method: string, path: string, body: string][] {
    const campaign = `"company_id":"${this.company.id}"`;
    const member = `/api/companies/${this.company.id}/members`;
    return [
      ['POST', '/api/users', `{"email":"new@example.com","password":"12345678${text}"}`],
      ['POST', '/api/users', `{"email":"new${text}@example.com","password":"12345678"}`],
      ['POST', '/api/auth/login', `{"email":"${this.ana.email}","password":"12345678${text}"}`],
      ['PATCH', `/api/users/${this.ana.id}`, `{"password":"12345678${text}"}`],
      ['POST', '/api/companies', `{"name":"a${text}","document":"12.ABC.345/01DE-35"}`],
      ['PATCH', `/api/companies/${this.company.id}`, `{"name":"a${text}"}`],
      ['POST', member, `{"email":"a${text}@example.com","role":"member"}`],
      ['POST', '/api/campaigns', `{"name":"a${text}","message":"m",${campaign},"phone_numbers":["11987654321"]}`],
      ['POST', '/api/campaigns', `{"name":"a","message":"m${text}",${campaign},"phone_numbers":["11987654321"]}`],
      ['POST', '/api/campaigns', `{"name":"a","message":"m",${campaign},"phone_numbers":["11987654321","${text}"]}`],
      ['PATCH', `/api/campaigns/${this.campaignId}`, `{"name":"a${text}"}`],
      ['POST', '/api/uploads', `{"name":"a","message":"m${text}",${campaign},"size":9}`],
    ];
  }

  /** What a text could have changed. */
  async rows(): Promise<unknown> {
    return this.stage.sql(
      `SELECT (SELECT json_agg(row(id, email, password) ORDER BY id) FROM users) AS users,
              (SELECT json_agg(row(id, name) ORDER BY id) FROM companies) AS companies,
              (SELECT json_agg(row(id, name, message) ORDER BY id) FROM campaigns) AS campaigns,
              (SELECT count(*)::int FROM uploads) AS uploads`,
    );
  }

  /** Sends bytes on a connection of their own. Returns all that comes back until it is closed. */
  async raw(bytes: string): Promise<string> {
    const socket = connect(Number(new URL(this.stage.url).port), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
    socket.write(bytes);
    await new Promise((resolve) => socket.once('close', resolve));
    return Buffer.concat(chunks).toString();
  }
}

/** A part of a form: a field, or anything else by its headers. */
export function part(name: string, content: string | Buffer, ...headers: string[]): Buffer {
  const disposition = `Content-Disposition: form-data; name="${name}"`;
  const lines = headers.some((each) => /^content-disposition/i.test(each)) ? headers : [disposition, ...headers];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(content)]);
}

/** The file of a form. */
export const FILE = part('', '11987654321\n', 'Content-Disposition: form-data; name="file"; filename="a.txt"');
