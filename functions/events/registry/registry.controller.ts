import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import { CurrentUser, type SignedInUser } from '../../accounts/users/auth.guard.js';
import { Describe } from '../../platform/http/describe.js';
import type { Page } from '../../platform/http/slices.js';
import { SchemaInvalid } from '../events.errors.js';
import { EventClients } from './event-clients.js';
import { EventTypes } from './event-types.js';
import { REGISTRY_ROUTES } from './registry.openapi.js';
import type { ClientRow, TypeRow } from './registry.repository.js';
import {
  type ClientKey,
  type CompanyQuery,
  type CreatedType,
  companyQuery,
  type NewClient,
  type NewType,
  newClient,
  newType,
  type OfCompany,
  ofCompany,
} from './registry.schemas.js';

/** Bytes: a schema of 64 KiB, indented. */
const TYPE_LIMIT_BYTES = 262_144;
const TYPE = {
  bodyLimit: TYPE_LIMIT_BYTES,
  tooLarge: () => new SchemaInvalid('', 'is over 64 KiB of JSON'),
  // A pattern with CRLF or a byte order mark in it is to stay as it is.
  asGiven: true,
} satisfies FastifyContextConfig;

/** The routes of clients and types of events. */
@ApiTags('events')
@ApiBearerAuth()
@Controller('events')
export class RegistryController {
  constructor(
    private readonly clients: EventClients,
    private readonly types: EventTypes,
  ) {}

  @Post('clients')
  @Describe(REGISTRY_ROUTES.createClient)
  createClient(
    @CurrentUser() me: SignedInUser,
    @Body({ schema: newClient }) body: NewClient,
    @Req() request: FastifyRequest,
  ): Promise<ClientRow & ClientKey> {
    request.companyId = body.company_id;
    return this.clients.create(me.id, body);
  }

  @Get('clients')
  @Describe(REGISTRY_ROUTES.listClients)
  listClients(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: companyQuery }) query: CompanyQuery,
  ): Promise<Page<ClientRow>> {
    return this.clients.list(me.id, query);
  }

  @Delete('clients/:client_id')
  @HttpCode(204)
  @Describe(REGISTRY_ROUTES.deleteClient)
  deleteClient(@CurrentUser() me: SignedInUser, @Param('client_id') clientId: string): Promise<void> {
    return this.clients.delete(me.id, clientId);
  }

  @Post('clients/:client_id/keys')
  @Describe(REGISTRY_ROUTES.createKey)
  createKey(@CurrentUser() me: SignedInUser, @Param('client_id') clientId: string): Promise<ClientKey> {
    return this.clients.createKey(me.id, clientId);
  }

  @Post('types')
  @RouteConfig(TYPE)
  @Describe(REGISTRY_ROUTES.createType)
  createType(
    @CurrentUser() me: SignedInUser,
    @Body({ schema: newType }) body: NewType,
    @Req() request: FastifyRequest,
  ): Promise<CreatedType> {
    request.companyId = body.company_id;
    return this.types.create(me.id, body);
  }

  @Get('types')
  @Describe(REGISTRY_ROUTES.listTypes)
  listTypes(
    @CurrentUser() me: SignedInUser,
    @Query({ schema: companyQuery }) query: CompanyQuery,
  ): Promise<Page<TypeRow>> {
    return this.types.list(me.id, query);
  }

  @Delete('types/:name')
  @HttpCode(204)
  @Describe(REGISTRY_ROUTES.deleteType)
  deleteType(
    @CurrentUser() me: SignedInUser,
    @Param('name') name: string,
    @Query({ schema: ofCompany }) { company_id }: OfCompany,
  ): Promise<void> {
    return this.types.delete(me.id, company_id, name);
  }
}
