import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';

/** The metadata key that opens a route. */
export const PUBLIC = 'disparo:public';

/** Opens a route or a controller to callers without a login, in OpenAPI too. */
export const Public = (): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(PUBLIC, true), ApiSecurity({}));
