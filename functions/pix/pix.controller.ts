import { Controller, Delete, Get, HttpCode, Param, Req, Res, UseGuards } from '@nestjs/common';
import { ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { arrivedAt } from '../platform/http/arrival.js';
import { Describe } from '../platform/http/describe.js';
import { Public } from '../platform/http/public.js';
import { Runtime } from '../platform/runtime.js';
import { formOf } from './collect/accept.js';
import { CloseStream } from './collect/close-stream.js';
import { Collect, type Collected } from './collect/collect.js';
import { goneSignal } from './collect/gone.js';
import { parseToken, type StreamToken, tokenText } from './collect/stream-token.js';
import { CollectorGuard } from './participants/collector.guard.js';
import { NotAcceptable, StreamNotFound } from './pix.errors.js';
import { PIX_ROUTES } from './pix.openapi.js';

/** Messages at most, by form. */
const LIMITS = { one: 1, many: 10 } as const;

/** The routes of collectors, in the words and the spelling of Pix. */
@ApiTags('pix')
@ApiSecurity('key')
@Public()
@UseGuards(CollectorGuard)
@Controller('pix')
export class PixController {
  constructor(
    private readonly collecting: Collect,
    private readonly closing: CloseStream,
    private readonly runtime: Runtime,
  ) {}

  @Get(':ispb/stream/start')
  @Describe(PIX_ROUTES.start)
  start(@Param('ispb') ispb: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    return this.#collect(ispb, undefined, request, reply);
  }

  @Get(':ispb/stream/:interationId')
  @Describe(PIX_ROUTES.next)
  next(
    @Param('ispb') ispb: string,
    @Param('interationId') interationId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ) {
    return this.#collect(ispb, interationId, request, reply);
  }

  @Delete(':ispb/stream/:interationId')
  @HttpCode(200)
  @Describe(PIX_ROUTES.close)
  async close(
    @Param('ispb') ispb: string,
    @Param('interationId') interationId: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Record<string, never>> {
    await this.closing.close(ispb, tokenOf(interationId), arrivedAt(request, reply, this.runtime));
    return {};
  }

  async #collect(
    ispb: string,
    interationId: string | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    reply.header('vary', 'Accept');
    const form = formOf(request.headers.accept);
    if (!form) throw new NotAcceptable();
    const token = interationId === undefined ? undefined : tokenOf(interationId);
    // A body of a GET means nothing. While it is not read, Node may not see that the client leaves.
    request.raw.resume();
    const collected = await this.collecting.collect({
      ispb,
      token,
      limit: LIMITS[form],
      arrivedAt: arrivedAt(request, reply, this.runtime),
      gone: goneSignal(reply, this.runtime),
    });
    // The client follows its stream at another process, on another connection.
    if (this.runtime.stopping.aborted) reply.header('connection', 'close');
    return answer(ispb, collected, form === 'many', reply);
  }
}

function answer(ispb: string, collected: Collected, isList: boolean, reply: FastifyReply): FastifyReply {
  reply.header('pull-next', `/api/pix/${ispb}/stream/${tokenText(collected.token)}`);
  if (collected.kind === 'empty') return reply.status(204).send();
  const { body } = collected;
  return reply
    .status(200)
    .type('application/json; charset=utf-8')
    .send(isList ? `[${body}]` : body);
}

/** Throws StreamNotFound for a text that can be no token. */
function tokenOf(text: string): StreamToken {
  const token = parseToken(text);
  if (!token) throw new StreamNotFound();
  return token;
}
