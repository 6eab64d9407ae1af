import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { User } from './user.js';

/** An API with these campaigns, which lists them as ours does: 100 a page at most. */
async function apiWith(campaigns: string[]): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    const size = Number(searchParams.get('page_size'));
    const begin = (Number(searchParams.get('page')) - 1) * size;
    const data = size > 100 ? [] : campaigns.slice(begin, begin + size).map((id) => ({ id }));
    response.statusCode = request.method === 'GET' || pathname === '/api/auth/login' ? 200 : 201;
    response.end(JSON.stringify({ access_token: 'token', id: 'company', data }));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each([0, 99, 100, 250])('a user finds each of %i campaigns', async (total) => {
  const campaigns = Array.from({ length: total }, (_, nth) => `campaign ${nth}`);
  const user = await User.register(await apiWith(campaigns), new AbortController().signal);
  expect(await user.campaignIds()).toEqual(campaigns);
});
