import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Describe } from '../../platform/http/describe.js';
import { Public } from '../../platform/http/public.js';
import { type Page, PageQuery } from '../../platform/http/slices.js';
import { isId } from '../../platform/http/validation.js';
import { UserNotFound } from '../accounts.errors.js';
import {
  type AccessTokenView,
  type Credentials,
  credentials,
  type Registration,
  registration,
  type UserChange,
  userChange,
} from '../accounts.schemas.js';
import { CurrentUser, type SignedInUser } from './auth.guard.js';
import { LogIn } from './log-in.js';
import { Users } from './users.js';
import { USER_ROUTES } from './users.openapi.js';
import type { UserRow } from './users.repository.js';

/** The user id in a path. A text that cannot be one is just not found, and never reaches SQL, which refuses NUL. */
export const UserId = (name: string): ParameterDecorator =>
  Param(name, {
    transform: (id: string) => {
      if (!isId(id)) throw new UserNotFound();
      return id;
    },
  });

/** The routes of users and of their login. */
@ApiTags('users')
@Controller()
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly login: LogIn,
  ) {}

  @Post('users')
  @Public()
  @Describe(USER_ROUTES.register)
  register(@Body({ schema: registration }) body: Registration): Promise<UserRow> {
    return this.users.register(body);
  }

  @Post('auth/login')
  @Public()
  @HttpCode(200)
  @Describe(USER_ROUTES.logIn)
  logIn(@Body({ schema: credentials }) body: Credentials): Promise<AccessTokenView> {
    return this.login.logIn(body);
  }

  @Get('users')
  @Describe(USER_ROUTES.list)
  list(@CurrentUser() me: SignedInUser, @Query({ schema: PageQuery }) page: PageQuery): Promise<Page<UserRow>> {
    return this.users.list(me.id, page);
  }

  @Get('users/:id')
  @Describe(USER_ROUTES.find)
  find(@CurrentUser() me: SignedInUser, @UserId('id') id: string): Promise<UserRow> {
    return this.users.find(me.id, id);
  }

  @Patch('users/:id')
  @Describe(USER_ROUTES.change)
  change(
    @CurrentUser() me: SignedInUser,
    @UserId('id') id: string,
    @Body({ schema: userChange }) body: UserChange,
  ): Promise<UserRow> {
    return this.users.change(me.id, id, body);
  }

  @Delete('users/:id')
  @HttpCode(204)
  @Describe(USER_ROUTES.delete)
  delete(@CurrentUser() me: SignedInUser, @UserId('id') id: string): Promise<void> {
    return this.users.delete(me.id, id);
  }
}
