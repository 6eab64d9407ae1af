import { Injectable } from '@nestjs/common';
import { Postgres } from '../../platform/stores/postgres.js';
import { InvalidCredentials } from '../accounts.errors.js';
import type { AccessTokenView, Credentials } from '../accounts.schemas.js';
import { AccessTokens, TOKEN_LIFE_S } from './access-token.js';
import { fingerprint } from './password.js';
import { PasswordAttempts } from './password-attempts.js';
import { UsersRepository } from './users.repository.js';

/** E-mail and password become a token. */
@Injectable()
export class LogIn {
  constructor(
    private readonly postgres: Postgres,
    private readonly users: UsersRepository,
    private readonly attempts: PasswordAttempts,
    private readonly tokens: AccessTokens,
  ) {}

  /** Throws InvalidCredentials, TooManyAttempts. */
  async logIn({ email, password }: Credentials): Promise<AccessTokenView> {
    const user = await this.users.credentialsByEmail(this.postgres, email);
    const right = await this.attempts.isRight(email, password, user?.password);
    if (!user || !right) throw new InvalidCredentials();
    return {
      access_token: await this.tokens.sign({ userId: user.id, fingerprint: fingerprint(user.password) }),
      token_type: 'Bearer',
      expires_in: TOKEN_LIFE_S,
    };
  }
}
