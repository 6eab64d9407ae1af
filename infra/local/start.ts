import { migrate } from '../../functions/platform/migrate.js';
import { freePort } from './services/ports.js';
import { prettyLine } from './supervise/log-line.js';
import { apiAddress, baseUrl, invokeDispatch, offlineProgram, untilHealthy } from './supervise/offline.js';
import { type Session, withServices } from './supervise/session.js';
import { colour, say } from './supervise/terminal.js';

const NAMES = { api: 'cyan', consumer: 'magenta' } as const;
const WIDTH = 'consumer'.length;

/** `npm start`: services, migrations, the functions under serverless offline, one consumer, until Ctrl-C. Answers the exit code. */
export default async function start(): Promise<number> {
  const { host, port } = await apiAddress();
  return withServices(say, { wait: true }, async ({ supervisor, services, env }: Session) => {
    for (const name of await supervisor.during(migrate(services.urls.DATABASE_URL))) say(`Migration: ${name}`);
    const lambda = await freePort();
    supervisor.start({ ...offlineProgram({ host, api: port, lambda }, env), line: printer('api') });
    supervisor.start({ name: 'consumer', args: ['consumer/typescript/dist/main.js'], env, line: printer('consumer') });
    const base = baseUrl(host, port);
    await supervisor.during(untilHealthy(base));
    await supervisor.during(invokeDispatch(lambda));
    say(ready(base, services.urls));
    return supervisor.during(new Promise<never>(() => {}));
  });
}

function printer(name: keyof typeof NAMES): (line: string) => void {
  const prefix = colour(NAMES[name], `${name.padEnd(WIDTH)} |`);
  return (line) => {
    if (line.trim() !== '') say(`${prefix} ${prettyLine(line)}`);
  };
}

function ready(base: string, urls: Record<string, string>): string {
  const addresses = Object.entries({
    API: `${base}/api`,
    Documentation: `${base}/api/docs`,
    OpenAPI: `${base}/api/openapi.json`,
    Health: `${base}/api/health`,
    PostgreSQL: place(urls.DATABASE_URL),
    MongoDB: place(urls.MONGODB_URL),
    RabbitMQ: place(urls.RABBITMQ_URL),
  });
  const lines = addresses.map(([name, address]) => `  ${name.padEnd(14)} ${address}`);
  return [
    '',
    colour('green', 'Ready. Stop with Ctrl-C.'),
    ...lines,
    '',
    'Try it in another terminal, in this folder:',
    '',
    ...curl(base),
    '',
  ].join('\n');
}

/** Host, port and path of a URL: what is left of it when user, password and options are taken away. */
function place(url = ''): string {
  return url.replace(/^[a-z+]+:\/\/(?:.*@)?/, '').replace(/\?.*$/, '');
}

/** To be pasted whole into a shell: each answer's id goes into the next call. A new person and company at each pasting. */
function curl(base: string): string[] {
  const field = (name: string) => `node -pe 'JSON.parse(fs.readFileSync(0)).${name}'`;
  const post = `curl -s -H 'content-type: application/json'`;
  const cnpj = `node --input-type=module -e "import { randomCnpj } from './dist/infra/local/demo/cnpj.js'; console.log(randomCnpj())"`;
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
