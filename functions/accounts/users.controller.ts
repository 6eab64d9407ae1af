import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../platform/public.js';
import { isId, type Page, PageQuery } from '../platform/validation.js';
import { UserNotFound } from './accounts.errors.js';
import type { UserRow } from './accounts.repository.js';
import {
  type AccessTokenView,
  accessTokenView,
  type Credentials,
  credentials,
  type Registration,
  registration,
  type UserChange,
  userChange,
  userPage,
  userView,
} from './accounts.schemas.js';
import { CurrentUser, type SignedInUser } from './auth.guard.js';
import { LogIn } from './log-in.js';
import { Users } from './users.js';

/** The user id in a path. What cannot be one is just not found, and never reaches SQL, which refuses NUL. */
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
  @ApiCreatedResponse({ standardSchema: userView })
  register(@Body({ schema: registration }) body: Registration): Promise<UserRow> {
    return this.users.register(body);
  }

  @Post('auth/login')
  @Public()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: accessTokenView })
  logIn(@Body({ schema: credentials }) body: Credentials): Promise<AccessTokenView> {
    return this.login.logIn(body);
  }

  @Get('users')
  @ApiOkResponse({ standardSchema: userPage })
  list(@CurrentUser() me: SignedInUser, @Query({ schema: PageQuery }) page: PageQuery): Promise<Page<UserRow>> {
    return this.users.list(me.id, page);
  }

  @Get('users/:id')
  @ApiOkResponse({ standardSchema: userView })
  find(@CurrentUser() me: SignedInUser, @UserId('id') id: string): Promise<UserRow> {
    return this.users.find(me.id, id);
  }

  @Patch('users/:id')
  @ApiOkResponse({ standardSchema: userView })
  change(
    @CurrentUser() me: SignedInUser,
    @UserId('id') id: string,
    @Body({ schema: userChange }) body: UserChange,
  ): Promise<UserRow> {
    return this.users.change(me.id, id, body);
  }

  @Delete('users/:id')
  @HttpCode(204)
  @ApiNoContentResponse()
  delete(@CurrentUser() me: SignedInUser, @UserId('id') id: string): Promise<void> {
    return this.users.delete(me.id, id);
  }
}
