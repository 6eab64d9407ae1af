import { CommandError } from '../../services/command-error.js';
import { say } from './supervise/terminal.js';
import { tool } from './supervise/tool.js';

/** `npm run build`: everything into dist/ folders. Returns the exit code. */
export default async function build(args: string[]): Promise<number> {
  if (args.length > 0) throw new CommandError('usage: npm run build');
  const code = await tool('typescript/bin/tsc', ['-b', 'consumer/typescript', '.']);
  if (code === 0) say('Built: dist/bundle/server.js, consumer/typescript/dist/main.js');
  return code;
}
