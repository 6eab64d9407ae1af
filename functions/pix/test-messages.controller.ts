import { Controller, Param, Post, Res, UseGuards } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyContextConfig, FastifyReply } from 'fastify';
import { Describe } from '../platform/http/describe.js';
import { Public } from '../platform/http/public.js';
import { parseWith } from '../platform/http/validation.js';
import { Runtime } from '../platform/runtime.js';
import { goneSignal } from './collect/gone.js';
import { MakeMessages } from './make-messages.js';
import { CollectorGuard } from './participants/collector.guard.js';
import { PIX_ROUTES } from './pix.openapi.js';
import { numberUpTo } from './pix.schemas.js';

/** Where test messages are off there is no such route, and nothing else is asked. */
const MAKING = { isHidden: ({ pixTestMessages }) => !pixTestMessages } satisfies FastifyContextConfig;

/** Makes messages of invented people. */
@ApiTags('pix')
@ApiSecurity('key')
@Public()
@UseGuards(CollectorGuard)
@Controller('util/msgs')
export class TestMessagesController {
  constructor(
    private readonly making: MakeMessages,
    private readonly runtime: Runtime,
  ) {}

  @Post(':ispb/:number')
  @RouteConfig(MAKING)
  @Describe(PIX_ROUTES.make)
  async make(@Param('ispb') ispb: string, @Param('number') text: string, @Res() reply: FastifyReply) {
    const { number } = parseWith(numberUpTo(this.making.most), { number: text });
    await this.making.make(ispb, number, goneSignal(reply, this.runtime));
    return reply.status(201).send({ ispb, number });
  }
}
