import { readFileSync } from 'node:fs';
import { commandLine } from '../../../services/process.js';

const parent = process.ppid;
/** Between npm and us is a shell with our own command on its command line. When npm is killed, the shell stays. */
const shellsParent = commandLine(parent).includes('run.mjs') ? parentOf(parent) : undefined;

/** Returns a function that tells whether the process that started this command, npm or a shell, is gone. */
export function watchCaller(): () => boolean {
  return () => process.ppid !== parent || (shellsParent !== undefined && parentOf(parent) !== shellsParent);
}

/** The parent of a process; undefined where there is no /proc. */
function parentOf(pid: number): number | undefined {
  try {
    // The second field, the program's name in brackets, may contain blanks and brackets itself.
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
    return Number(afterName.split(' ')[1]);
  } catch {
    return undefined;
  }
}
