import { readFileSync } from 'node:fs';
import { commandLine } from '../../../services/process.js';

const parent = process.ppid;
/** Between npm and us stands a shell with our own command on its command line; when npm is killed, the shell stays. */
const shellsParent = commandLine(parent).includes('run.mjs') ? parentOf(parent) : undefined;

/** Answers a function that tells whether whoever started this command, npm or a shell, is gone. */
export function watchCaller(): () => boolean {
  return () => process.ppid !== parent || (shellsParent !== undefined && parentOf(parent) !== shellsParent);
}

/** Undefined where there is no /proc. */
function parentOf(pid: number): number | undefined {
  try {
    // The second field, the program's name in brackets, may itself hold blanks and brackets.
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
    return Number(afterName.split(' ')[1]);
  } catch {
    return undefined;
  }
}
