import type { Folder } from './step.js';

const OF_COMPANY = { company_id: '{{company_id}}' };
const ENDPOINT = { id: '{{endpoint_id}}' };
/** No name of the Internet's (RFC 6761): nothing ever arrives. */
const NOWHERE = 'https://hooks.invalid/disparo';

export const webhooks: Folder = {
  name: '11 Webhooks',
  description:
    'Where events of a company go: an endpoint is registered, an event is owed to it, its secret is rotated, and what was sent ' +
    'is sent again. Its name does not exist, so that nothing leaves this machine.',
  steps: [
    {
      name: 'Register an endpoint within the own network',
      ask: 'createEndpoint',
      json: { ...OF_COMPANY, url: 'https://127.0.0.1/', client_id: undefined, type_names: undefined },
      status: 400,
      code: 'ENDPOINT.URL_REFUSED',
    },
    {
      name: 'Register an endpoint',
      ask: 'createEndpoint',
      json: { ...OF_COMPANY, url: NOWHERE, client_id: undefined, type_names: ['order'] },
      status: 201,
      keep: { endpoint_id: 'body.id' },
      tests: { 'its secret is shown this once': 'pm.expect(body.secret).to.match(/^whsec_/)' },
    },
    {
      name: 'List the endpoints',
      ask: 'listEndpoints',
      query: OF_COMPANY,
      status: 200,
      tests: { 'no list shows a secret': 'pm.expect(JSON.stringify(body)).to.not.include(String.raw`whsec_`)' },
    },
    {
      name: 'Register a client for webhooks',
      ask: 'createEventClient',
      before: ["pm.collectionVariables.set('event_client', 'client-' + pm.variables.replaceIn('{{$guid}}'));"],
      json: { ...OF_COMPANY, client_id: '{{event_client}}' },
      status: 201,
    },
    {
      name: 'Register a type for webhooks',
      ask: 'createEventType',
      json: { ...OF_COMPANY, name: 'order', version: undefined, schema: undefined },
      status: 201,
    },
    {
      name: 'Send an event that the endpoint wants',
      ask: 'sendEvents',
      json: { client_id: '{{event_client}}', event_type: 'order', id: undefined, message: { order: 4711 } },
      status: 202,
      keep: { event_id: 'body.id' },
    },
    {
      name: 'See the endpoint',
      ask: 'getEndpoint',
      path: ENDPOINT,
      status: 200,
      tests: { 'the event is owed to it': 'pm.expect(body.due + body.dead).to.equal(1)' },
    },
    {
      name: 'Rotate its secret, and send less',
      ask: 'changeEndpoint',
      path: ENDPOINT,
      json: { url: undefined, type_names: undefined, rate_per_s: 5, disabled: undefined, rotate_secret: true },
      status: 200,
      tests: {
        'the new secret is shown this once': 'pm.expect(body.secret).to.match(/^whsec_/)',
        'the old one signs for a day more': 'pm.expect(body.old_secret_until).to.be.a(String.raw`string`)',
      },
    },
    {
      name: 'List its attempts',
      ask: 'listDeliveryAttempts',
      path: ENDPOINT,
      status: 200,
      tests: { 'in the order of the log': 'pm.expect(body.data).to.be.an(String.raw`array`)' },
    },
    {
      name: 'Send the event again',
      ask: 'replayDelivery',
      path: { id: '{{event_id}}', endpoint: '{{endpoint_id}}' },
      status: 202,
      tests: { 'it is due now, unless it is under way': 'pm.expect(body.count).to.be.oneOf([0, 1])' },
    },
    {
      name: 'Send an event again that is not there',
      ask: 'replayDelivery',
      path: { id: 'evt_999999999999', endpoint: '{{endpoint_id}}' },
      status: 404,
      code: 'DELIVERY.NOT_FOUND',
    },
    {
      name: 'List what was given up',
      ask: 'listDeadDeliveries',
      path: ENDPOINT,
      status: 200,
      tests: { 'nothing was': 'pm.expect(body).to.eql({ data: [], next: null })' },
    },
    {
      name: 'Send what was given up again',
      ask: 'replayDeliveries',
      path: ENDPOINT,
      json: { since: '2026-01-01T00:00:00Z', until: undefined, only: 'dead', after: undefined },
      status: 202,
      tests: { 'nothing was': 'pm.expect([body.count, body.next]).to.eql([0, null])' },
    },
    {
      name: "Eva asks for Ana's endpoint",
      ask: 'getEndpoint',
      as: 'eva',
      path: ENDPOINT,
      status: 404,
      code: 'ENDPOINT.NOT_FOUND',
    },
    { name: 'Delete the endpoint', ask: 'deleteEndpoint', path: ENDPOINT, status: 204 },
    {
      name: 'A deleted endpoint is not found',
      ask: 'getEndpoint',
      path: ENDPOINT,
      status: 404,
      code: 'ENDPOINT.NOT_FOUND',
    },
    {
      name: 'Delete the client of webhooks',
      ask: 'deleteEventClient',
      path: { client_id: '{{event_client}}' },
      status: 204,
    },
    {
      name: 'Delete the type of webhooks',
      ask: 'deleteEventType',
      path: { name: 'order' },
      query: OF_COMPANY,
      status: 204,
    },
  ],
};
