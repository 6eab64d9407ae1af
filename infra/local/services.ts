import { bringUp, resetServices, SERVICES, stopServices } from '../../services/bring-up.js';
import { CommandError } from '../../services/command-error.js';

const say = (line: string) => console.log(line);

/** `npm run services`, `services:stop`, `services:reset`. Returns the exit code. */
export default async function services([action, ...rest]: string[]): Promise<number> {
  const root = process.cwd();
  if (rest.length > 0 || !['stop', 'reset', undefined].includes(action))
    throw new CommandError('usage: npm run services | services:stop | services:reset');
  if (action === 'stop') await stopServices(root, say);
  else if (action === 'reset') {
    await resetServices(root, say);
    say('Removed: the data of the services');
  } else {
    const { own } = await bringUp(root, say, { keep: true });
    const variables = SERVICES.filter(({ variable }) => own.has(variable)).map(({ variable }) => variable);
    if (variables.length > 0)
      say(`Ready. ${variables.join(', ')} are in .local/services.env; stop with: npm run services:stop`);
  }
  return 0;
}
