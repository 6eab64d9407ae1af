import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AuthGuard } from '../accounts/users/auth.guard.js';
import { Config } from '../platform/config.js';

/** The routes of contacts ask for no login, unless CONTACTS_PUBLIC says so: then for the same as every other route. */
@Injectable()
export class ContactsGuard implements CanActivate {
  constructor(
    private readonly config: Config,
    private readonly login: AuthGuard,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!this.config.contactsPublic) await this.login.signIn(context.switchToHttp().getRequest<FastifyRequest>());
    return true;
  }
}
