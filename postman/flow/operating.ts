import type { Folder } from './step.js';

export const operating: Folder = {
  name: '1 Is it up?',
  description: 'What needs no login. If the first request fails, nothing answers at `base_url`: `npm start`.',
  steps: [
    {
      name: 'Health',
      ask: 'getHealth',
      as: 'nobody',
      status: 200,
      tests: { 'all three stores are up': "pm.expect(Object.values(body)).to.eql(['up', 'up', 'up', 'up'])" },
    },
    {
      name: 'Metrics',
      ask: 'getMetrics',
      as: 'nobody',
      status: 200,
      tests: { 'are in the text format of Prometheus': 'pm.expect(text).to.match(/^# TYPE disparo_\\w+ /m)' },
    },
    {
      name: 'The OpenAPI document',
      ask: {
        method: 'GET',
        url: '{{base_url}}/api/openapi.json',
        description: 'All routes, bodies, answers and errors. Its page is at `/api/docs`.',
      },
      as: 'nobody',
      status: 200,
      tests: { 'has the routes of campaigns': "pm.expect(body.paths).to.include.keys('/api/campaigns')" },
    },
    {
      name: 'An address that is no route',
      ask: { method: 'GET', url: '{{base_url}}/api/nothing', description: 'Every error is a problem of RFC 9457.' },
      as: 'nobody',
      status: 404,
      code: 'NOT_FOUND',
    },
  ],
};
