import { say } from './supervise/terminal.js';
import { tool } from './supervise/tool.js';

/** `npm run build`: everything into dist/ folders. Answers the exit code. */
export default async function build(): Promise<number> {
  const code = await tool('typescript/bin/tsc', ['-b', 'consumer/typescript', '.']);
  if (code === 0) say('Built: dist/functions/server.js, consumer/typescript/dist/main.js');
  return code;
}
