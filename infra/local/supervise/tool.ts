import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { interactive } from './terminal.js';

/**
 * Runs a package's own program (a path under node_modules) with our streams; where no terminal is, its output goes through
 * us, as few such programs bear a reader that leaves. Answers its exit code.
 */
export async function tool(program: string, args: string[]): Promise<number> {
  const child = spawn(process.execPath, [join('node_modules', program), ...args], {
    stdio: ['ignore', interactive ? 'inherit' : 'pipe', 'inherit'],
  });
  child.stdout?.on('data', (data) => process.stdout.write(data));
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}
