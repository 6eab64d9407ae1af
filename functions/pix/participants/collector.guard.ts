import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { parseWith } from '../../platform/http/validation.js';
import { NotFound } from '../../platform/problem.js';
import { ispbOf } from '../pix.schemas.js';
import { ParticipantKeys } from './participant-keys.js';

/** Stands before the routes of collectors: an ISPB that is one, and its key where it needs one. Before Accept is read. */
@Injectable()
export class CollectorGuard implements CanActivate {
  constructor(private readonly keys: ParticipantKeys) {}

  async canActivate(context: ExecutionContext): Promise<true> {
    const { method, params, headers } = context
      .switchToHttp()
      .getRequest<FastifyRequest<{ Params: { ispb: string } }>>();
    // guard: Fastify runs the route of GET for it, and the answer would throw its messages away
    if (method === 'HEAD') throw new NotFound();
    const { ispb } = parseWith(ispbOf, { ispb: params.ispb });
    await this.keys.admit(ispb, headers.authorization);
    return true;
  }
}
