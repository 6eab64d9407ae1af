import { type CanActivate, Controller, Injectable, Param, Post, Res, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Config } from '../platform/config.js';
import { Describe } from '../platform/http/describe.js';
import { Public } from '../platform/http/public.js';
import { parseWith } from '../platform/http/validation.js';
import { NotFound } from '../platform/problem.js';
import { Runtime } from '../platform/runtime.js';
import { goneSignal } from './collect/gone.js';
import { MakeMessages } from './make-messages.js';
import { CollectorGuard } from './participants/collector.guard.js';
import { PIX_ROUTES } from './pix.openapi.js';
import { numberOf } from './pix.schemas.js';

/** Where test messages are off there is no such route, and nothing else is asked. */
@Injectable()
export class TestMessagesOn implements CanActivate {
  constructor(private readonly config: Config) {}

  canActivate(): true {
    if (!this.config.pixTestMessages) throw new NotFound();
    return true;
  }
}

/** Makes messages of invented people. */
@ApiTags('pix')
@Public()
@UseGuards(TestMessagesOn, CollectorGuard)
@Controller('util/msgs')
export class TestMessagesController {
  constructor(
    private readonly making: MakeMessages,
    private readonly runtime: Runtime,
  ) {}

  @Post(':ispb/:number')
  @Describe(PIX_ROUTES.make)
  async make(@Param('ispb') ispb: string, @Param('number') text: string, @Res() reply: FastifyReply) {
    const { number } = parseWith(numberOf, { number: text });
    await this.making.make(ispb, number, goneSignal(reply, this.runtime));
    return reply.status(201).send({ ispb, number });
  }
}
