import { EXIT } from '@disparo/contract';

/** Ends a command: run.mjs prints the message as it is, without a stack, and exits with the code. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.configuration,
  ) {
    super(message);
    this.name = 'CommandError';
  }
}
