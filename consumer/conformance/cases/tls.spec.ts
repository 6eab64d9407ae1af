import { LANGUAGES } from '@disparo/contract/languages';
import { expect } from 'vitest';
import { languageUnderTest } from '../../../testing/process.js';
import { allNumbers } from '../../../testing/seeds.js';
import { type Case, prove, type Scope } from '../runner/cases.js';
import { Authority, TlsBroker } from '../runner/tls-broker.js';

const { rootsVariable } = LANGUAGES[languageUnderTest()];

/** `names`: the names in the certificate; `trusted`: the authority that the consumer is told to trust, if any. */
interface Refusal {
  name: string;
  names: string;
  trusted?: 'ours' | 'strangers';
  why: string;
}

const REFUSALS: Refusal[] = [
  {
    name: 'of an authority that is not named',
    names: 'DNS:localhost',
    why: 'Whoever stands between consumer and broker could sign for himself, and read the password and every number.',
  },
  {
    name: 'of an authority of another name',
    names: 'DNS:localhost',
    trusted: 'strangers',
    why: 'A consumer that trusts any authority as soon as one is named only looks safe to the operator who named it.',
  },
  {
    name: 'of another host',
    names: 'DNS:broker.example.com',
    trusted: 'ours',
    why: "The owner of any other host of the same authority could pass for the broker, and take a company's campaigns.",
  },
];

prove('a broker behind TLS', [
  {
    name: 'with a certificate of an authority of our own is trusted when that is named',
    why: 'A company with an authority of its own would have to run in the clear, or with its certificates unchecked.',
    async run(scope) {
      const { stage, broker, ours } = await behindTls(scope, 'DNS:localhost');
      const { id, chunks } = await stage.campaign(1_203, 7);
      await stage.publish(chunks);
      const consumer = stage.consumer({ RABBITMQ_URL: broker.url, [rootsVariable]: ours.file });
      await stage.untilStatus(id, 'enviado');
      expect(await stage.storedNumbers(id)).toEqual(allNumbers(1_203));
      consumer.signal('SIGTERM');
      expect(await consumer.exit()).toBe(0);
    },
  },
  ...REFUSALS.map(
    ({ name, names, trusted, why }): Case => ({
      name: `with a certificate ${name} is refused at the start`,
      why,
      async run(scope) {
        const { stage, broker, ...authorities } = await behindTls(scope, names);
        const roots = trusted && { [rootsVariable]: authorities[trusted].file };
        const consumer = stage.consumer({ RABBITMQ_URL: broker.url, ...roots });
        expect(await consumer.exit(), consumer.everything).toBe(78);
        expect(consumer.errors).toMatch(/^RABBITMQ_URL: .*certificate.*\n$/);
        expect(consumer.errors.match(/\n/g)).toHaveLength(1);
      },
    }),
  ),
]);

/** The broker behind a certificate of these names, signed by the authority `ours`. `strangers` has signed nothing. */
async function behindTls(scope: Scope, names: string) {
  const stage = await scope.stage();
  const ours = scope.cleaned(new Authority('ours'));
  const strangers = scope.cleaned(new Authority('strangers'));
  const broker = scope.cleaned(await TlsBroker.open(stage.env.RABBITMQ_URL, ours.issue(names)));
  return { stage, ours, strangers, broker };
}
