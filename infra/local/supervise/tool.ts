import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { interactive } from './terminal.js';

/**
 * Runs a package's own program (a path under node_modules) with our streams. Not on a terminal, its output goes through us,
 * as most programs fail when their reader leaves. Returns its exit code.
 */
export async function tool(program: string, args: string[]): Promise<number> {
  const child = spawn(process.execPath, [join('node_modules', program), ...args], {
    stdio: ['ignore', interactive ? 'inherit' : 'pipe', 'inherit'],
  });
  child.stdout?.on('data', (data) => process.stdout.write(data));
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}
