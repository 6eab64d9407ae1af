import type { Folder, Step } from './step.js';

const ISPB = '{{pix_ispb}}';
const BOUND = { ispb: '{{pix_bound_ispb}}' };
const OF_COMPANY = { ...BOUND, id: '{{company_id}}' };
const MANY = { Accept: 'multipart/json' };
/** Eight digits, of its own each time: no stream of another run is open. */
const NEW_ISPB = "String(Math.floor(Math.random() * 1e8)).padStart(8, '0')";
const NEXT = "pm.response.headers.get('pull-next').split('/').pop()";
const GO_ON = { pix_previous: "pm.collectionVariables.get('pix_token')", pix_token: NEXT };
const IDS = 'body.map(({ endToEndId }) => endToEndId)';

const following = (token: string): Pick<Step, 'ask' | 'as' | 'path'> => ({
  ask: 'followPixStream',
  as: 'nobody',
  path: { ispb: ISPB, interationId: `{{${token}}}` },
});

/** One more of the six streams. */
const opening = (count: string): Step => ({
  name: `Start a ${count} stream`,
  ask: 'startPixStream',
  as: 'nobody',
  path: { ispb: ISPB },
  status: 200,
});

export const pix: Folder = {
  name: '12 Pix',
  description:
    'Messages of an ISPB are made and collected: a stream is started, followed, followed again as if its answer had been ' +
    'lost, and ended; a seventh one is refused. Messages are there before each poll: without one it waits for eight seconds ' +
    'and answers 204. At last the company binds an ISPB, which then asks for its key.',
  steps: [
    {
      name: 'Make messages',
      ask: 'makePixMessages',
      as: 'nobody',
      before: [`pm.collectionVariables.set('pix_ispb', ${NEW_ISPB});`],
      path: { ispb: ISPB, number: '20' },
      status: 201,
      tests: {
        'they are of this ISPB': "pm.expect(body).to.eql({ ispb: pm.collectionVariables.get('pix_ispb'), number: 20 })",
      },
    },
    {
      name: 'Start a stream',
      ask: 'startPixStream',
      as: 'nobody',
      note: 'Without `Accept`, or with `application/json`, the answer is one message.',
      path: { ispb: ISPB },
      status: 200,
      keep: { pix_token: NEXT, pix_message: 'body.endToEndId' },
      tests: {
        'it is one message, for this ISPB':
          "pm.expect(body.recebedor.ispb).to.equal(pm.collectionVariables.get('pix_ispb'))",
        'Pull-Next is where the stream goes on':
          "pm.expect(pm.response.headers.get('pull-next')).to.match(/^\\/api\\/pix\\/\\d{8}\\/stream\\/[0-9a-z]{12}$/)",
        'it is kept by nobody, and depends on Accept':
          "pm.expect(pm.response.headers.get('cache-control')).to.equal('no-store');\npm.expect(pm.response.headers.get('vary')).to.include('Accept');",
      },
    },
    {
      name: 'Follow Pull-Next, for ten messages',
      ...following('pix_token'),
      note: 'It tells that the answer before was received, which never comes again.',
      headers: MANY,
      status: 200,
      keep: { ...GO_ON, pix_batch: `JSON.stringify(${IDS})` },
      tests: {
        'they are ten': 'pm.expect(body.length).to.equal(10)',
        'without the first one': `pm.expect(${IDS}).to.not.include(pm.collectionVariables.get('pix_message'))`,
      },
    },
    {
      name: 'Follow with the token before',
      ...following('pix_previous'),
      note: 'As after an answer that was lost.',
      headers: MANY,
      status: 200,
      tests: {
        'it is the same batch': `pm.expect(${IDS}).to.eql(JSON.parse(pm.collectionVariables.get('pix_batch')))`,
        'and the same Pull-Next': `pm.expect(${NEXT}).to.equal(pm.collectionVariables.get('pix_token'))`,
      },
    },
    {
      name: 'Ask for the same batch as one message',
      ...following('pix_previous'),
      headers: { Accept: 'application/json' },
      status: 406,
      code: 'PIX.NOT_ACCEPTABLE',
    },
    {
      name: 'Follow Pull-Next, for one message',
      ...following('pix_token'),
      note: 'The form may change from answer to answer.',
      status: 200,
      keep: { pix_oldest: "pm.collectionVariables.get('pix_previous')", ...GO_ON },
      tests: {
        'it is a new one':
          "pm.expect(JSON.parse(pm.collectionVariables.get('pix_batch'))).to.not.include(body.endToEndId)",
      },
    },
    {
      name: 'Follow with an older token',
      ...following('pix_oldest'),
      status: 410,
      code: 'PIX.STREAM_SUPERSEDED',
    },
    {
      name: 'Follow a stream that is not there',
      ...following('pix_token'),
      path: { ispb: ISPB, interationId: 'zzzzzzzz0000' },
      status: 404,
      code: 'PIX.STREAM_NOT_FOUND',
    },
    ...['second', 'third', 'fourth', 'fifth', 'sixth'].map(opening),
    {
      ...opening('seventh'),
      status: 429,
      code: 'PIX.TOO_MANY_STREAMS',
      tests: {
        'it says when the first one would expire':
          "pm.expect(Number(pm.response.headers.get('retry-after'))).to.be.within(1, 68)",
      },
    },
    {
      name: 'End the stream',
      ask: 'endPixStream',
      as: 'nobody',
      path: { ispb: ISPB, interationId: '{{pix_token}}' },
      status: 200,
      tests: {
        'without a Pull-Next': "pm.expect([text, pm.response.headers.get('pull-next')]).to.eql(['{}', undefined])",
      },
    },
    {
      name: 'End it again',
      ask: 'endPixStream',
      as: 'nobody',
      path: { ispb: ISPB, interationId: '{{pix_token}}' },
      status: 200,
    },
    {
      name: 'Follow the ended stream',
      ...following('pix_token'),
      status: 410,
      code: 'PIX.STREAM_CLOSED',
    },
    {
      name: 'Start a stream of an ISPB that is none',
      ask: 'startPixStream',
      as: 'nobody',
      path: { ispb: '3207498' },
      status: 400,
      code: 'VALIDATION',
    },
    {
      name: 'Bind an ISPB',
      ask: 'bindPixIspb',
      before: [`pm.collectionVariables.set('pix_bound_ispb', ${NEW_ISPB});`],
      path: OF_COMPANY,
      status: 201,
      keep: { pix_api_key: 'body.api_key' },
      tests: { 'its key is shown this once': 'pm.expect(body.api_key).to.match(/^pix_/)' },
    },
    {
      name: 'Make messages of the bound ISPB',
      ask: 'makePixMessages',
      as: 'collector',
      path: { ...BOUND, number: '2' },
      status: 201,
    },
    {
      name: 'Collect without the key',
      ask: 'startPixStream',
      as: 'nobody',
      path: BOUND,
      status: 401,
      code: 'PIX.KEY_MISSING',
    },
    {
      name: 'Collect with a key that is none',
      ask: 'startPixStream',
      as: 'forger',
      path: BOUND,
      status: 401,
      code: 'PIX.KEY_INVALID',
    },
    {
      name: 'Collect with the key',
      ask: 'startPixStream',
      as: 'collector',
      path: BOUND,
      headers: MANY,
      status: 200,
      keep: { pix_token: NEXT },
      tests: { 'there are the two': 'pm.expect(body.length).to.equal(2)' },
    },
    {
      name: 'End the stream of the bound ISPB',
      ask: 'endPixStream',
      as: 'collector',
      path: { ...BOUND, interationId: '{{pix_token}}' },
      status: 200,
    },
    {
      name: 'Bind it again',
      ask: 'bindPixIspb',
      note: 'A new key; the one before is valid for a day more.',
      path: OF_COMPANY,
      status: 201,
      tests: {
        'the key is another one': "pm.expect(body.api_key).to.not.equal(pm.collectionVariables.get('pix_api_key'))",
      },
    },
    {
      name: "Eva binds it to Ana's company",
      ask: 'bindPixIspb',
      as: 'eva',
      path: OF_COMPANY,
      status: 404,
      code: 'COMPANY.NOT_FOUND',
    },
    { name: 'Unbind it', ask: 'unbindPixIspb', path: OF_COMPANY, status: 204 },
    {
      name: 'Unbind what is not bound',
      ask: 'unbindPixIspb',
      path: OF_COMPANY,
      status: 404,
      code: 'PIX.ISPB_NOT_BOUND',
    },
  ],
};
