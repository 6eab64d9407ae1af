import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import '../runner/known-failing.js';
import { LANGUAGES, languageUnderTest } from '../runner/languages.js';
import { allNumbers, Stage } from '../runner/stage.js';
import { Authority, TlsBroker } from '../runner/tls-broker.js';
import { PATIENCE_MS } from '../runner/until.js';

const { rootsVariable } = LANGUAGES[languageUnderTest()];

describe('a broker behind TLS', { timeout: 2 * PATIENCE_MS }, () => {
  let stage: Stage;
  let ours: Authority;
  let strangers: Authority;
  beforeAll(async () => {
    stage = await Stage.open();
    ours = new Authority('ours');
    strangers = new Authority('strangers');
  }, PATIENCE_MS);
  afterAll(async () => {
    for (const authority of [ours, strangers]) await authority?.close();
    await stage?.close();
  }, PATIENCE_MS);

  it('with a certificate of an authority of our own is trusted when that is named', async () => {
    const broker = await TlsBroker.open(stage.env.RABBITMQ_URL, ours.issue('DNS:localhost'));
    try {
      const { id, chunks } = await stage.campaign(1_203, 7);
      await stage.publish(chunks);
      const consumer = stage.start({ RABBITMQ_URL: broker.url, [rootsVariable]: ours.file });
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(0);
    } finally {
      await broker.close();
    }
  });

  it.each([
    ['of an authority that is not named', 'DNS:localhost', () => ({})],
    ['of an authority of another name', 'DNS:localhost', () => ({ [rootsVariable]: strangers.file })],
    ['of another host', 'DNS:broker.example.com', () => ({ [rootsVariable]: ours.file })],
  ])('with a certificate %s is refused at the start', async (_name, names, env) => {
    const broker = await TlsBroker.open(stage.env.RABBITMQ_URL, ours.issue(names));
    try {
      const consumer = stage.start({ RABBITMQ_URL: broker.url, ...env() });
      expect(await consumer.exit(), consumer.everything).toBe(78);
      expect(consumer.errors).toMatch(/^RABBITMQ_URL: .*certificate.*\n$/);
      expect(consumer.errors.match(/\n/g)).toHaveLength(1);
    } finally {
      await broker.close();
    }
  });
});
