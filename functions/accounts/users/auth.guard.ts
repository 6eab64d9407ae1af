import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../platform/config.js';
import { PUBLIC, type PublicWhen } from '../../platform/http/public.js';
import { Postgres } from '../../platform/stores/postgres.js';
import { TokenInvalid, TokenMissing } from '../accounts.errors.js';
import { AccessTokens } from './access-token.js';
import { KeyBearers, TAKES_KEY } from './key-bearers.js';
import { fingerprint } from './password.js';
import { UsersRepository } from './users.repository.js';

/** The user who sent the request. */
export interface SignedInUser {
  id: string;
}

const BEARER = /^Bearer +(\S+)$/i;

/** Stands before every route, and asks for a token unless the route is public. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly config: Config,
    private readonly reflector: Reflector,
    private readonly tokens: AccessTokens,
    private readonly users: UsersRepository,
    private readonly postgres: Postgres,
    private readonly keyBearers: KeyBearers,
  ) {}

  canActivate(context: ExecutionContext): true | Promise<true> {
    const publicWhen = this.reflector.getAllAndOverride<PublicWhen>(PUBLIC, [context.getHandler(), context.getClass()]);
    if (publicWhen?.(this.config)) return true;
    const keyPrefix = this.reflector.get<string | undefined>(TAKES_KEY, context.getHandler());
    return this.signIn(context.switchToHttp().getRequest<FastifyRequest>(), keyPrefix);
  }

  /**
   * Requires the token of a living user whose password has not changed since, and notes the user in the request. Asks
   * PostgreSQL each time. A key that the route takes is looked up in the same way, and its client noted. Throws TokenMissing
   * or TokenInvalid.
   */
  private async signIn(request: FastifyRequest, keyPrefix: string | undefined): Promise<true> {
    const token = BEARER.exec(request.headers.authorization?.trim() ?? '')?.[1];
    if (token === undefined) throw new TokenMissing();
    if (keyPrefix !== undefined && token.startsWith(keyPrefix)) {
      request.clientId = await this.keyBearers.clientOf(keyPrefix, token);
      if (request.clientId === undefined) throw new TokenInvalid();
      return true;
    }
    const claims = await this.tokens.read(token);
    const password = await this.users.passwordOf(this.postgres, claims.userId);
    if (password === undefined || fingerprint(password) !== claims.fingerprint) throw new TokenInvalid();
    request.userId = claims.userId;
    return true;
  }
}

/** The SignedInUser of a route that is not public. */
export const CurrentUser = createParamDecorator((_: unknown, context: ExecutionContext): SignedInUser => {
  const { userId } = context.switchToHttp().getRequest<FastifyRequest>();
  if (userId === undefined) throw new TokenMissing();
  return { id: userId };
});
