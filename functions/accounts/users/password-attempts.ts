import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { TooManyAttempts } from '../accounts.errors.js';
import { LoginFailures } from './login-failures.js';
import { verifyPassword } from './password.js';

const MAX_FAILURES = 10;
const WINDOW_S = 60;

/** Checks every guess at a password, on any route: ten wrong ones a minute for an e-mail, then all are refused. */
@Injectable()
export class PasswordAttempts {
  constructor(
    private readonly postgres: Postgres,
    private readonly failures: LoginFailures,
  ) {}

  /** Whether a password is the stored one of an e-mail; without a stored one it is not. Throws TooManyAttempts. */
  async isRight(email: string, password: string, stored: string | undefined): Promise<boolean> {
    // A guess that is refused anyway is not worth the work of a hash.
    const before = await this.failures.within(this.postgres, email, WINDOW_S);
    if (before.count >= MAX_FAILURES) throw new TooManyAttempts(Math.max(1, before.oldestLeavesS));
    const right = await verifyPassword(password, stored);
    await this.#count(email, right);
    return right;
  }

  /** One at a time for an e-mail, after the hash: however many guesses run at once, ten are answered. */
  async #count(email: string, right: boolean): Promise<void> {
    const found = await this.postgres.transaction(async (sql) => {
      await this.failures.lock(sql, email);
      const before = await this.failures.within(sql, email, WINDOW_S);
      if (before.count < MAX_FAILURES && !right) await this.failures.insert(sql, email, WINDOW_S);
      return before;
    });
    if (found.count >= MAX_FAILURES) throw new TooManyAttempts(Math.max(1, found.oldestLeavesS));
  }
}
