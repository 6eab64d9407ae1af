import { once } from 'node:events';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyReply } from 'fastify';
import { Describe } from '../platform/http/describe.js';
import { Public } from '../platform/http/public.js';
import { AcceptContact } from './accept/accept-contact.js';
import { besideAccepting, besideReading, ContactTooLarge, InvalidJob } from './contacts.errors.js';
import { CONTACT_ROUTES } from './contacts.openapi.js';
import {
  type AcceptedContact,
  accepted,
  type ContactJob,
  type ContactStats,
  type JobQuery,
  jobQuery,
  type NewContact,
  newContact,
  STATUS_MESSAGES,
} from './contacts.schemas.js';
import { ReadJob } from './read-job.js';

/** Bytes: the longest lists, each character of them escaped, are longer; usual users are 1 KiB. */
const BODY_LIMIT_BYTES = 262_144;
const ACCEPTING = {
  bodyLimit: BODY_LIMIT_BYTES,
  tooLarge: () => new ContactTooLarge(),
  beside: besideAccepting,
  asGiven: true,
  quiet: true,
} satisfies FastifyContextConfig;
const READING = { beside: besideReading, quiet: true } satisfies FastifyContextConfig;

/** The routes of contacts, as the HTTP contract has them. */
@ApiTags('contacts')
@Public((config) => config.contactsPublic)
@Controller('user')
export class ContactsController {
  constructor(
    private readonly accepting: AcceptContact,
    private readonly reading: ReadJob,
  ) {}

  @Post()
  @HttpCode(202)
  @RouteConfig(ACCEPTING)
  @Describe(CONTACT_ROUTES.add)
  async add(
    @Body({ schema: newContact }) contact: NewContact,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AcceptedContact> {
    const job = await this.accepting.accept(contact);
    reply.header('location', `/api/user/${job}`);
    return accepted(job);
  }

  @Get('jobs/stats')
  @RouteConfig(READING)
  @Describe(CONTACT_ROUTES.stats)
  stats(): Promise<ContactStats> {
    return this.reading.stats();
  }

  @Get(':job')
  @RouteConfig(READING)
  @Describe(CONTACT_ROUTES.find)
  async find(
    @Param('job') number: string,
    @Query({ schema: jobQuery }) { wait = 0 }: JobQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ContactJob> {
    const { status, ...why } = await this.reading.find(number, wait, () => once(reply.raw, 'close'));
    const timer = Math.round(reply.elapsedTime * 10) / 10;
    if (status === 'unknown') throw new InvalidJob(timer);
    return { status, message: STATUS_MESSAGES[status], timer, ...why };
  }
}
