import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessTokens } from './access-token.js';
import { AccountsRepository } from './accounts.repository.js';
import { AuthGuard } from './auth.guard.js';
import { CompaniesController } from './companies.controller.js';
import { Companies } from './companies.js';
import { CompanyDeletion } from './company-deletion.js';
import { LogIn } from './log-in.js';
import { LoginFailures } from './login-failures.js';
import { Members } from './members.js';
import { Memberships } from './memberships.js';
import { UsersController } from './users.controller.js';
import { Users } from './users.js';

/** Users, companies, members, login. Its guard stands before every route of the app. */
@Module({
  controllers: [UsersController, CompaniesController],
  providers: [
    { provide: APP_GUARD, useClass: AuthGuard },
    AccessTokens,
    AccountsRepository,
    Companies,
    CompanyDeletion,
    LogIn,
    LoginFailures,
    Members,
    Memberships,
    Users,
  ],
  exports: [CompanyDeletion, Memberships],
})
export class AccountsModule {}
