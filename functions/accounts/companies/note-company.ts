import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { isId } from '../../platform/http/validation.js';

/** Tells the log line of the request which company it is about: the `company_id` of its path, else the `id`. */
export class NoteCompany implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context
      .switchToHttp()
      .getRequest<FastifyRequest<{ Params: { id?: string; company_id?: string } }>>();
    const id = request.params.company_id ?? request.params.id;
    if (id !== undefined && isId(id)) request.companyId = id;
    return next.handle();
  }
}
