import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Duties } from '../platform/duties.js';
import { CompaniesController } from './companies/companies.controller.js';
import { Companies } from './companies/companies.js';
import { CompaniesRepository } from './companies/companies.repository.js';
import { CompanyDeletion } from './companies/company-deletion.js';
import { Members } from './companies/members.js';
import { Memberships } from './companies/memberships.js';
import { InvitationsController } from './invitations/invitations.controller.js';
import { Invitations } from './invitations/invitations.js';
import { InvitationsRepository } from './invitations/invitations.repository.js';
import { AccessTokens } from './users/access-token.js';
import { AuthGuard } from './users/auth.guard.js';
import { KeyBearers } from './users/key-bearers.js';
import { LogIn } from './users/log-in.js';
import { LoginFailures } from './users/login-failures.js';
import { PasswordAttempts } from './users/password-attempts.js';
import { UsersController } from './users/users.controller.js';
import { Users } from './users/users.js';
import { UsersRepository } from './users/users.repository.js';

const ERASE_EVERY_MS = 60_000;

/** Users, companies, members, invitations, login. Its guard stands before every route of the app. */
@Module({
  controllers: [UsersController, CompaniesController, InvitationsController],
  providers: [
    { provide: APP_GUARD, useExisting: AuthGuard },
    AccessTokens,
    AuthGuard,
    Companies,
    CompaniesRepository,
    CompanyDeletion,
    Invitations,
    InvitationsRepository,
    KeyBearers,
    LogIn,
    LoginFailures,
    Members,
    Memberships,
    PasswordAttempts,
    Users,
    UsersRepository,
  ],
  exports: [CompanyDeletion, KeyBearers, Memberships],
})
export class AccountsModule {
  constructor(duties: Duties, invitations: Invitations) {
    duties.add({
      name: 'erase expired invitations',
      everyMs: ERASE_EVERY_MS,
      run: async () => ({ erased: await invitations.eraseExpired() }),
    });
  }
}
