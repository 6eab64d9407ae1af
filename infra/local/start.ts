import { readEnvironment } from '@disparo/contract';
import { CommandError } from '../../services/command-error.js';
import { place } from '../../services/place.js';
import { freePort } from '../../services/ports.js';
import { buildConsumers, CONSUMER_USAGE, parseConsumers } from './consumers.js';
import { migrated } from './migrations.js';
import { processesOf, withMetricsPorts } from './start/processes.js';
import { Screen } from './start/screen.js';
import { standings } from './start/standings.js';
import { requireBuildTools } from './suites.js';
import { apiAddress, baseUrl } from './supervise/offline.js';
import { announceApi } from './supervise/running-api.js';
import { type Session, withServices } from './supervise/session.js';
import { colour, say } from './supervise/terminal.js';

const USAGE = `npm start [-- ${CONSUMER_USAGE}]`;

/**
 * `npm start [-- --consumer=rust,go]`: services, migrations, the functions under serverless offline and a consumer of each
 * named language, until Ctrl-C. Shows how far each campaign is, and what is out of the ordinary; with LOG_LEVEL=debug every
 * line. Returns the exit code.
 */
export default async function start(args: string[]): Promise<number> {
  const { languages, rest } = parseConsumers(args, USAGE);
  if (rest.length > 0) throw new CommandError(`usage: ${USAGE}`);
  requireBuildTools(languages, (language) => `npm start -- --consumer=${language}`);
  const { host, port } = await apiAddress();
  return withServices(say, { wait: true }, async (session: Session) => {
    const { supervisor, services, env } = session;
    await buildConsumers(session, languages);
    for (const name of await migrated(session, services.urls.DATABASE_URL)) say(`Migration: ${name}`);
    const lambda = await freePort();
    const listed = processesOf(languages, { host, api: port, lambda }, env);
    const { processes, portsLine } = await withMetricsPorts(listed, [port, lambda]);
    if (portsLine) say(portsLine);
    const ledger = standings(services.urls.DATABASE_URL);
    const screen = new Screen(ledger.ask, Math.max(...processes.map(({ options }) => options.name.length)));
    try {
      for (const { options, colour } of processes)
        supervisor.start({ ...options, line: screen.printer(options.name, colour) });
      for (const { ready } of processes) if (ready) await supervisor.during(ready());
      const base = baseUrl(host, port);
      announceApi(base);
      screen.board.line(welcome(base, services.urls));
      return await supervisor.during(new Promise<never>(() => {}));
    } finally {
      screen.close();
      ledger.close();
    }
  });
}

function welcome(base: string, urls: Record<string, string>): string {
  const { SMTP_URL: mailServer } = readEnvironment();
  const addresses = Object.entries({
    API: `${base}/api`,
    Documentation: `${base}/api/docs`,
    OpenAPI: `${base}/api/openapi.json`,
    Health: `${base}/api/health`,
    PostgreSQL: place(urls.DATABASE_URL),
    MongoDB: place(urls.MONGODB_URL),
    RabbitMQ: place(urls.RABBITMQ_URL),
    // as services/mail/index.mjs decides
    'E-mails': mailServer === undefined ? '.local/mail/, a file each' : place(mailServer),
  });
  const lines = addresses.map(([name, address]) => `  ${name.padEnd(14)} ${address}`);
  return [
    '',
    colour('green', 'Ready. Stop with Ctrl-C.'),
    'Shown below: how far campaigns are, and what is out of the ordinary. All of it: LOG_LEVEL=debug npm start',
    ...lines,
    '',
    'Try it in another terminal, in this folder:',
    '',
    ...curl(base),
    '',
  ].join('\n');
}

/** Lines to paste into a shell: each answer's id goes into the next call. Each pasting makes a new person and company. */
function curl(base: string): string[] {
  const field = (name: string) => `node -pe 'JSON.parse(fs.readFileSync(0)).${name}'`;
  const post = `curl -s -H 'content-type: application/json'`;
  const cnpj = `node --input-type=module -e "import { someCnpj } from './dist/testing/cnpj.js'; console.log(someCnpj())"`;
  return [
    `API=${base}/api`,
    `PERSON='{"email":"ana.'$(date +%s)'@example.com","password":"correct horse battery"}'`,
    `${post} -d "$PERSON" $API/users; echo`,
    `TOKEN=$(${post} -d "$PERSON" $API/auth/login | ${field('access_token')})`,
    `COMPANY=$(${post} -H "authorization: Bearer $TOKEN" -d '{"name":"Acme","document":"'$(${cnpj})'"}' $API/companies | ${field('id')})`,
    `CAMPAIGN=$(curl -s -H "authorization: Bearer $TOKEN" -F name=Promo -F 'message=Oi!' -F company_id=$COMPANY -F file=@postman/numeros.txt $API/campaigns | ${field('id')})`,
    `curl -s -H "authorization: Bearer $TOKEN" $API/campaigns/$CAMPAIGN; echo`,
    `curl -s -H "authorization: Bearer $TOKEN" $API/campaigns/$CAMPAIGN/messages; echo`,
  ];
}
