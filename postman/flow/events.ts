import type { Folder } from './step.js';

const OF_COMPANY = { company_id: '{{company_id}}' };
const CLIENT = '{{event_client}}';
const EVENT = { client_id: CLIENT, event_type: 'user-app', id: '{{event_key}}', message: { user_id: 'u-123' } };

export const events: Folder = {
  name: '10 Events',
  description:
    'A client and a type of events are registered; an event is sent, sent again, and sent with other content. What comes on ' +
    'a queue and is no event goes into quarantine; nothing is there after this folder, as HTTP tells its sender at once.',
  steps: [
    {
      name: 'Register a client of events',
      ask: 'createEventClient',
      before: [
        '// Unique over all companies, and of its own each time.',
        "pm.collectionVariables.set('event_client', 'client-' + pm.variables.replaceIn('{{$guid}}'));",
        "pm.collectionVariables.set('event_key', pm.variables.replaceIn('{{$guid}}'));",
      ],
      json: { ...OF_COMPANY, client_id: CLIENT },
      status: 201,
      keep: { event_api_key: 'body.api_key' },
      tests: { 'its key is shown this once': 'pm.expect(body.api_key).to.match(/^evk_/)' },
    },
    {
      name: 'Register the same client again',
      ask: 'createEventClient',
      json: { ...OF_COMPANY, client_id: CLIENT },
      status: 409,
      code: 'EVENT_CLIENT.TAKEN',
    },
    {
      name: 'List the clients of events',
      ask: 'listEventClients',
      query: OF_COMPANY,
      status: 200,
      tests: {
        'no list shows a key': 'pm.expect(JSON.stringify(body)).to.not.include(String.raw`evk_`)',
      },
    },
    {
      name: 'Make another key',
      ask: 'createEventClientKey',
      path: { client_id: CLIENT },
      status: 201,
      tests: {
        'it is another one': "pm.expect(body.api_key).to.not.equal(pm.collectionVariables.get('event_api_key'))",
      },
    },
    {
      name: 'Send an event of a type that is not registered',
      ask: 'sendEvents',
      json: EVENT,
      status: 422,
      code: 'EVENT.UNKNOWN_TYPE',
    },
    {
      name: 'Register a type with a schema that is none',
      ask: 'createEventType',
      json: { ...OF_COMPANY, name: 'user-app', schema: { type: 'colour' }, version: undefined },
      status: 400,
      code: 'EVENT_TYPE.SCHEMA_INVALID',
    },
    {
      name: 'Register a type of events',
      ask: 'createEventType',
      json: {
        ...OF_COMPANY,
        name: 'user-app',
        version: undefined,
        schema: { type: 'object', properties: { user_id: { type: 'string' } }, required: ['user_id'] },
      },
      status: 201,
      tests: { 'it is version 1': 'pm.expect(body.version).to.equal(1)' },
    },
    { name: 'List the types of events', ask: 'listEventTypes', query: OF_COMPANY, status: 200 },
    {
      name: 'Send an event',
      ask: 'sendEvents',
      json: EVENT,
      status: 202,
      keep: { event_id: 'body.id' },
      tests: { 'it is stored': "pm.expect(body.outcome).to.equal('stored')" },
    },
    {
      name: 'Send the same event again',
      ask: 'sendEvents',
      note: 'As after an answer that was lost.',
      json: EVENT,
      status: 200,
      tests: {
        'it is a duplicate, with the id of the first':
          "pm.expect([body.outcome, body.id]).to.eql(['duplicate', pm.collectionVariables.get('event_id')])",
      },
    },
    {
      name: 'Send another event with the same id',
      ask: 'sendEvents',
      json: { ...EVENT, message: { user_id: 'u-456' } },
      status: 409,
      code: 'EVENT.CONFLICT',
    },
    {
      name: 'Send an event that its schema does not take',
      ask: 'sendEvents',
      json: { ...EVENT, id: undefined, message: { user_id: 7 } },
      status: 422,
      code: 'EVENT.INVALID_PAYLOAD',
    },
    {
      name: 'List the events',
      ask: 'listEvents',
      query: { client_id: CLIENT },
      status: 200,
      tests: { 'it is there once': 'pm.expect(body.data.length).to.equal(1)' },
    },
    {
      name: 'List what is in quarantine',
      ask: 'listQuarantine',
      query: OF_COMPANY,
      status: 200,
      tests: { 'HTTP puts nothing there': 'pm.expect(body.data).to.eql([])' },
    },
    {
      name: 'Replay what is in quarantine',
      ask: 'replayMessages',
      json: { ...OF_COMPANY, reason: 'unknown_event_type', limit: 100, after: undefined },
      status: 200,
      tests: { 'there was none': 'pm.expect(body.count).to.equal(0)' },
    },
    {
      name: 'Replay a message that is not there',
      ask: 'replayMessage',
      path: { id: '999999999999' },
      json: { body: undefined },
      status: 404,
      code: 'QUARANTINE.NOT_FOUND',
    },
    {
      name: 'Discard a message that is not there',
      ask: 'discardMessage',
      path: { id: '999999999999' },
      status: 404,
      code: 'QUARANTINE.NOT_FOUND',
    },
    {
      name: 'Delete the type',
      ask: 'deleteEventType',
      path: { name: 'user-app' },
      query: OF_COMPANY,
      status: 204,
    },
    { name: 'Delete the client', ask: 'deleteEventClient', path: { client_id: CLIENT }, status: 204 },
    {
      name: 'A deleted client gets nothing more',
      ask: 'sendEvents',
      json: { ...EVENT, id: undefined },
      status: 404,
      code: 'EVENT.UNREGISTERED_TENANT',
    },
  ],
};
