import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { InvalidCredentials, TooManyAttempts } from '../accounts.errors.js';
import type { AccessTokenView, Credentials } from '../accounts.schemas.js';
import { AccessTokens, TOKEN_LIFE_S } from './access-token.js';
import { LoginFailures } from './login-failures.js';
import { fingerprint, verifyPassword } from './password.js';
import { UsersRepository } from './users.repository.js';

const MAX_FAILURES = 10;
const WINDOW_S = 60;

/** E-mail and password become a token. */
@Injectable()
export class LogIn {
  constructor(
    private readonly postgres: Postgres,
    private readonly users: UsersRepository,
    private readonly failures: LoginFailures,
    private readonly tokens: AccessTokens,
  ) {}

  /** Throws InvalidCredentials, TooManyAttempts. */
  async logIn({ email, password }: Credentials): Promise<AccessTokenView> {
    // A guess that is refused anyway is not worth the work of a hash.
    const before = await this.failures.within(this.postgres, email, WINDOW_S);
    if (before.count >= MAX_FAILURES) throw new TooManyAttempts(Math.max(1, before.oldestLeavesS));
    const user = await this.users.credentialsByEmail(this.postgres, email);
    const right = await verifyPassword(password, user?.password);
    await this.#count(email, right);
    if (!user || !right) throw new InvalidCredentials();
    return {
      access_token: await this.tokens.sign({ userId: user.id, fingerprint: fingerprint(user.password) }),
      token_type: 'Bearer',
      expires_in: TOKEN_LIFE_S,
    };
  }

  /** One at a time for an e-mail, after the hash: however many guesses run side by side, ten are answered. */
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
