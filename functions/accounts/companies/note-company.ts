import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { isId } from '../../platform/http/validation.js';

/** Tells the log line of the request which company it is about: the `company_id` of its path or query, else the `id`. */
export class NoteCompany implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context
      .switchToHttp()
      .getRequest<
        FastifyRequest<{ Params: { id?: string; company_id?: string }; Querystring: { company_id?: unknown } }>
      >();
    const id = request.params.company_id ?? request.query.company_id ?? request.params.id;
    // guard: a query may have it twice, and then it is no text
    if (typeof id === 'string' && isId(id)) request.companyId = id;
    return next.handle();
  }
}
